"""The injection's configuration as the ConfigMap has it now: a change counts for the next pod. The last good one stays
where a newer one is wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import msgspec

from lateen.api.schema.fault import Fault, Severity
from lateen.identity.watched_api import WatchedApi
from lateen.injection.configuration import CONFIG_KEY, VALUES_KEY, InjectionConfig, parse_injection
from lateen.injection.native_sidecar import Version, parse_version

_log = logging.getLogger(__name__)


def config_map_name(revision: str) -> str:
    """As Istio names it."""
    return f"istio-sidecar-injector-{revision}" if revision not in ("", "default") else "istio-sidecar-injector"


class InjectionPace(msgspec.Struct, frozen=True):
    """Times in seconds."""

    interval: float = 60.0
    """The ConfigMap is read after so long even when nothing is known to have happened."""
    retry: float = 1.0
    """After an API server that did not answer, and before a watch that ended is begun anew."""


class InjectionConfiguration:
    """Run `run` for as long as pods are injected."""

    def __init__(self, api: WatchedApi, *, namespace: str, revision: str, pace: InjectionPace | None = None) -> None:
        self._api = api
        self._name = config_map_name(revision)
        self._namespace = namespace
        self._pace = pace or InjectionPace()
        self._stirred = asyncio.Event()
        self._texts: tuple[str, str] | None = None
        self._reported = ""
        self.current: InjectionConfig | None = None
        """None: there has been no good one yet."""
        self.version: Version | None = None
        """Of the cluster; None while it is not known."""
        self.faults: tuple[Fault, ...] = ()
        """Of the newest."""

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._rounds())

    async def _watch(self) -> None:
        """Any event is a reason to look; what it says does not count."""
        path = f"/api/v1/namespaces/{self._namespace}/configmaps"
        while True:
            try:
                async with aclosing(self._api.watch(path, {"fieldSelector": f"metadata.name={self._name}"})) as batches:
                    async for events in batches:
                        if events:
                            self._stirred.set()
            except Exception as error:
                # Rounds go on at their interval.
                _log.debug("watch of %s: %s", self._name, error)
            await asyncio.sleep(self._pace.retry)

    async def _rounds(self) -> None:
        while True:
            self._stirred.clear()
            try:
                whole = await self.round()
            except (OSError, ValueError) as error:
                self._report(str(error) or type(error).__name__)
                whole = False
            try:
                async with asyncio.timeout(self._pace.interval if whole else self._pace.retry):
                    await self._stirred.wait()
            except TimeoutError:
                continue

    async def round(self) -> bool:
        """Reads the ConfigMap. Says whether there is one. Raises OSError or ValueError when there is no answer."""
        if self.version is None:
            told = await self._api.send("GET", "/version")
            if told.status == 200:
                self.version = parse_version(str(told.body.get("major", "")), str(told.body.get("minor", "")))
        answer = await self._api.send("GET", f"/api/v1/namespaces/{self._namespace}/configmaps/{self._name}")
        if answer.status != 200:
            self._report(answer.message)
            return False
        self.take(answer.body.get("data") or {})
        return True

    def take(self, data: Mapping[str, Any]) -> None:
        """The ConfigMap's texts as they are now."""
        texts = str(data.get(CONFIG_KEY, "")), str(data.get(VALUES_KEY, ""))
        if texts == self._texts:
            return
        self._texts = texts
        found, self.faults = parse_injection(*texts)
        if found is not None:
            self.current = found
        wrong = [fault for fault in self.faults if fault.severity is Severity.ERROR] or self.faults
        self._report("; ".join(f"{fault.path}: {fault.message}" for fault in wrong[:5]))
        if found is not None:
            _log.info("%s: taken", self._name)

    def _report(self, problem: str) -> None:
        """Once for every new problem."""
        if problem and problem != self._reported:
            _log.warning("%s: %s", self._name, problem)
        self._reported = problem
