"""The mesh's roots in every namespace: ConfigMap `istio-ca-root-cert`, key `root-cert.pem`.

Workloads mount it to know the control plane that they ask for their certificate. One replica at a time writes it:
`Lease.run_while_held(distribution.run)`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from lateen.identity.complaints import Complaints
from lateen.identity.current import CurrentAuthority
from lateen.identity.rounds import Rounds, RoundsPace
from lateen.identity.watched_api import WatchedApi

NAME: Final = "istio-ca-root-cert"
KEY: Final = "root-cert.pem"
LABELS: Final = {"istio.io/config": "true"}

NOT_SERVED: Final = frozenset({"kube-public", "kube-node-lease", "local-path-storage"})
"""Namespaces in which no workload of a mesh runs (Istio: pkg/kube/inject IgnoredNamespaces; kube-system is served)."""

_ONLY_OURS: Final = {"fieldSelector": f"metadata.name={NAME}"}
_PAGE: Final = "500"
_PACE: Final = RoundsPace(spacing=0.5, retry=2.0)

_log = logging.getLogger(__name__)


class RootDistribution:
    """Call `changed` after every change of the authority."""

    def __init__(
        self,
        api: WatchedApi,
        current: CurrentAuthority,
        *,
        ignored: frozenset[str] = NOT_SERVED,
        pace: RoundsPace = _PACE,
    ) -> None:
        self._api = api
        self._current = current
        self._ignored = ignored
        self._complaints = Complaints(_log, "roots of the mesh")
        watched = {"/api/v1/namespaces": {}, "/api/v1/configmaps": _ONLY_OURS}
        self._rounds = Rounds(api, watched, self.round, pace=pace, complaints=self._complaints)

    def changed(self) -> None:
        """Something is to be looked at soon."""
        self._rounds.stir()

    async def run(self) -> None:
        """Until cancelled."""
        await self._current.known()
        await self._rounds.run()

    async def round(self) -> bool:
        """Makes the ConfigMap right wherever it is not. Says whether it is right everywhere now.

        Raises OSError or ValueError when the API server does not answer.
        """
        bundle = (await self._current.known()).bundle
        namespaces = await self._list("/api/v1/namespaces", {})
        found = await self._list("/api/v1/configmaps", _ONLY_OURS)
        if namespaces is None or found is None:
            return False
        held = {each["metadata"]["namespace"]: each for each in found if each["metadata"].get("name") == NAME}
        whole = True
        for namespace in namespaces:
            name = str(namespace["metadata"]["name"])
            going = (namespace.get("status") or {}).get("phase") == "Terminating"
            if going or name in self._ignored or _is_right(held.get(name), bundle):
                self._complaints.tell(name, "")
                continue
            whole &= await self._write(name, bundle, create=name not in held)
        return whole

    async def _list(self, path: str, parameters: Mapping[str, str]) -> list[Any] | None:
        """All objects, page by page; None when they are not shown."""
        objects: list[Any] = []
        following = ""
        while True:
            asked = {**parameters, "limit": _PAGE, **({"continue": following} if following else {})}
            answer = await self._api.send("GET", path, parameters=asked)
            if answer.status != 200:
                self._complaints.tell(path, answer.message)
                return None
            objects.extend(answer.body.get("items") or ())
            following = (answer.body.get("metadata") or {}).get("continue") or ""
            if not following:
                self._complaints.tell(path, "")
                return objects

    async def _write(self, namespace: str, bundle: str, *, create: bool) -> bool:
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        metadata = {"name": NAME, "namespace": namespace, "labels": LABELS}
        if create:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: bundle}}
            answer = await self._api.send("POST", path, body=body)
        else:
            # What others have put beside our key is theirs.
            patch = {"metadata": {"labels": LABELS}, "data": {KEY: bundle}}
            kind = "application/merge-patch+json"
            answer = await self._api.send("PATCH", f"{path}/{NAME}", body=patch, content_type=kind)
        done = answer.status in (200, 201)
        self._complaints.tell(namespace, "" if done else answer.message)
        return done


def _is_right(found: Any, bundle: str) -> bool:
    if found is None or (found.get("data") or {}).get(KEY) != bundle:
        return False
    labels = found["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in LABELS.items())
