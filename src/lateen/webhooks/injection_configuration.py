"""The injection's configuration as the ConfigMap has it now: a change counts for the next pod. The last good one stays
where a newer one is wrong."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from lateen.api.schema.fault import Fault, Severity
from lateen.identity.complaints import Complaints
from lateen.identity.rounds import Rounds, RoundsPace
from lateen.identity.watched_api import WatchedApi
from lateen.injection.configuration import CONFIG_KEY, VALUES_KEY, InjectionConfig, parse_injection
from lateen.injection.native_sidecar import Version, parse_version
from lateen.model.revision import of_revision

_PACE: Final = RoundsPace(spacing=0.05, retry=1.0)

_log = logging.getLogger(__name__)


def config_map_name(revision: str) -> str:
    """As Istio names it."""
    return of_revision("istio-sidecar-injector", revision)


class InjectionConfiguration:
    """Run `run` for as long as pods are injected."""

    def __init__(self, api: WatchedApi, *, namespace: str, revision: str, pace: RoundsPace = _PACE) -> None:
        self._api = api
        self._name = config_map_name(revision)
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._complaints = Complaints(_log, self._name)
        watched = {self._path: {"fieldSelector": f"metadata.name={self._name}"}}
        self._rounds = Rounds(api, watched, self.round, pace=pace, complaints=self._complaints)
        self._texts: tuple[str, str] | None = None
        self.current: InjectionConfig | None = None
        """None: there has been no good one yet."""
        self.version: Version | None = None
        """Of the cluster; None while it is not known."""
        self.faults: tuple[Fault, ...] = ()
        """Of the newest."""

    async def run(self) -> None:
        """Until cancelled."""
        await self._rounds.run()

    async def round(self) -> bool:
        """Reads the ConfigMap. Says whether there is one. Raises OSError or ValueError when there is no answer."""
        if self.version is None:
            told = await self._api.send("GET", "/version")
            if told.status == 200:
                self.version = parse_version(str(told.body.get("major", "")), str(told.body.get("minor", "")))
        answer = await self._api.send("GET", f"{self._path}/{self._name}")
        self._complaints.tell("the ConfigMap", "" if answer.status == 200 else answer.message)
        if answer.status != 200:
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
        self._complaints.tell("its content", "; ".join(f"{fault.path}: {fault.message}" for fault in wrong[:5]))
        if found is not None:
            _log.info("%s: taken", self._name)
