"""Tells the API of a pod's status: always the latest, and again when it could not be told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from lateen.cluster.client.api import Client
from lateen.cluster.client.backoff import Backoff
from lateen.cluster.node.context import PODS
from lateen.cluster.node.pod_status import status_patch
from lateen.cluster.objects import Obj, key_of
from lateen.cluster.status import StatusError

_log = logging.getLogger(__name__)


class StatusReporter:
    """`pod` gives the pod as it is now, and None once its object is gone; `status` what is to be told of it."""

    def __init__(self, client: Client, pod: Callable[[], Obj | None], status: Callable[[], Obj]) -> None:
        self.sent: Obj | None = None
        """What the API was told last."""
        self._client = client
        self._pod = pod
        self._status = status
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """The status may have become another."""
        self._changed.set()

    async def run(self) -> None:
        """Reports changes until cancelled."""
        backoff = Backoff(0.2, 5.0)
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.send()
                backoff.reset()
            except StatusError as error:
                _log.debug("status of a pod: %s", error)
                await asyncio.sleep(backoff.next())
                self._changed.set()

    async def send(self) -> None:
        """Reports now, if there is anything new. Raises StatusError when it can be tried again."""
        pod, status = self._pod(), self._status()
        if status == self.sent or pod is None:
            return
        try:
            await self._client.patch(
                PODS, key_of(pod), status_patch(pod, status), type="strategic", subresource="status"
            )
        except StatusError as error:
            if error.code not in (404, 409):
                raise
        self.sent = status
