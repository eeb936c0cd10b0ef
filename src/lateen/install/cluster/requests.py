"""What is asked of a cluster, and what is wrong when it does not do it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from lateen.api.kubernetes.requests import Answer, KubernetesApi
from lateen.install.cluster.places import Place

T = TypeVar("T")


class ClusterApi(KubernetesApi, Protocol):
    """Single requests, and texts such as logs."""

    async def text(self, path: str, parameters: Mapping[str, str] | None = None) -> str:
        """The body of a GET, as it is. Raises OSError unless the server has it."""


class InstallError(Exception):
    """An installation that did not come about; the message says what, why, and what helps."""


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All at the same time, outcomes in order. When one fails the others are cancelled, and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except ExceptionGroup as problems:
        raise problems.exceptions[0] from None
    return [task.result() for task in tasks]


async def read(api: KubernetesApi, path: str) -> dict[str, Any] | None:
    """An object, or None if it is not there. Raises InstallError."""
    answer = await send(api, "GET", path)
    if answer.status == 404:
        return None
    return good(answer, f"reading {path}")


async def listed(api: KubernetesApi, place: Place, selector: str = "") -> list[dict[str, Any]]:
    """All objects of a kind with these labels, complete with apiVersion and kind. Raises InstallError."""
    parameters = {"labelSelector": selector} if selector else {}
    answer = await send(api, "GET", place.path, parameters=parameters)
    if answer.status == 404:
        return []
    items = good(answer, f"listing {place.plural}").get("items") or []
    return [{"apiVersion": place.api_version, "kind": place.kind, **item} for item in items]


async def send(api: KubernetesApi, method: str, path: str, **options: Any) -> Answer:
    """Raises InstallError when there is no answer."""
    try:
        return await api.send(method, path, **options)
    except (OSError, ValueError) as problem:
        raise InstallError(f"the cluster does not answer: {problem or type(problem).__name__}") from problem


def good(answer: Answer, doing: str) -> dict[str, Any]:
    """The body. Raises InstallError for a failure, with a hint where rights are missing."""
    if answer.status < 300:
        body: dict[str, Any] = answer.body
        return body
    hint = "; installing takes the rights of a cluster administrator" if answer.status in (401, 403) else ""
    raise InstallError(f"{doing}: {answer.message}{hint}")
