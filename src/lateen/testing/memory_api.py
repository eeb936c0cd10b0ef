"""Single requests to a Kubernetes API, answered from memory: objects by path, resource versions, conflicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class MemoryAnswer(NamedTuple):
    status: int
    body: Any
    retry_after: float = 0.0

    @property
    def message(self) -> str:
        return str(self.body.get("message", "")) if isinstance(self.body, dict) else ""


class MemoryApi:
    """What is at a path can be got, replaced (with the right resourceVersion) and patched; a collection takes new
    objects by POST."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        """By path."""
        self.requests: list[tuple[str, str]] = []
        """Method and path."""
        self.fail: Callable[[str, str], int | Exception | None] = lambda method, path: None
        """The status to answer with, or the error to raise, instead of doing what is asked."""
        self._version = 0

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        """Makes an object be there, in a new version."""
        self._version += 1
        metadata = {**body.get("metadata", {}), "resourceVersion": str(self._version)}
        self.objects[path] = {**body, "metadata": metadata}

    async def send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> MemoryAnswer:
        self.requests.append((method, path))
        failure = self.fail(method, path)
        if isinstance(failure, Exception):
            raise failure
        if failure is not None:
            return MemoryAnswer(failure, {"message": f"status {failure}"})
        if method == "POST":
            place = f"{path}/{body['metadata']['name']}"
            if place in self.objects:
                return MemoryAnswer(409, {"message": "already exists"})
            self.put(place, body)
            return MemoryAnswer(201, self.objects[place])
        place = path.removesuffix("/status")
        found = self.objects.get(place)
        if found is None:
            return MemoryAnswer(404, {"message": "not found"})
        if method == "GET":
            return MemoryAnswer(200, found)
        asked = (body.get("metadata") or {}).get("resourceVersion")
        if asked is not None and asked != found["metadata"]["resourceVersion"]:
            return MemoryAnswer(409, {"message": "the object has been modified"})
        if method == "PUT":
            self.put(place, body)
        else:
            merged = _merge(found, {"status": body.get("status")} if path.endswith("/status") else body)
            self.put(place, merged)
        return MemoryAnswer(200, self.objects[place])


def _merge(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merge(found.get(name), value)
    return found
