"""Which kinds an API server serves, and in which versions."""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

from lateen.sources.kubernetes.client import Answer, ApiError, Client
from lateen.sources.kubernetes.watched_kind import WatchedKind

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_FRESH_SECONDS = 1.0


class Collection(NamedTuple):
    """Where the objects of a kind are."""

    api_version: str
    path: str


class Discovery:
    """Asks the server. Kinds of one group that ask at about the same time share an answer."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._asked: dict[str, tuple[float, asyncio.Task[Answer]]] = {}

    async def collection(self, kind: WatchedKind) -> Collection | None:
        """All objects of a kind, in the best version that both sides have; None when the server has none.

        Raises ApiError and OSError.
        """
        group = kind.name.group
        place = f"namespaces/{kind.namespace}/{kind.plural}" if kind.namespace else kind.plural
        if not group:
            return Collection("v1", f"/api/v1/{place}")
        served = await self._ask(f"/apis/{group}")
        if served is None:
            return None
        offered = {str(version.get("version")) for version in served.get("versions") or ()}
        for version in kind.versions:
            if version not in offered:
                continue
            resources = await self._ask(f"/apis/{group}/{version}")
            if resources and any(each.get("name") == kind.plural for each in resources.get("resources") or ()):
                return Collection(f"{group}/{version}", f"/apis/{group}/{version}/{place}")
        return None

    async def is_defined(self, kind: WatchedKind) -> bool | None:
        """Whether a CustomResourceDefinition defines the kind, served at the moment or not; None when we may not know.

        A server that has just started may not serve, for a moment, a kind that it has.
        """
        answer = await self._client.send("GET", f"{_DEFINITIONS}/{kind.definition}")
        if answer.status in (200, 404):
            return answer.status == 200
        if answer.status == 403:
            return None
        raise ApiError(answer)

    async def _ask(self, path: str) -> dict[str, Any] | None:
        """A discovery document; None when there is none."""
        asked_at, task = self._asked.get(path, (0.0, None))
        if task is None or time.monotonic() - asked_at > _FRESH_SECONDS:
            task = asyncio.create_task(self._client.send("GET", path))
            self._asked[path] = (time.monotonic(), task)
        try:
            # One kind that is stopped must not take the question from the others.
            answer = await asyncio.shield(task)
        except (OSError, ValueError):
            self._asked.pop(path, None)
            raise
        if answer.status == 404:
            return None
        if answer.status != 200 or not isinstance(answer.body, dict):
            self._asked.pop(path, None)
            raise ApiError(answer)
        return answer.body
