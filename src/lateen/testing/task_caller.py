"""Who calls in the tests of tasks, and the pods that answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from lateen.testing.backends import http_backend
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.task_mesh import Answer, TaskMesh, pod


class Caller(NamedTuple):
    """An application, and its sidecar that intercepts nothing: requests go to its listener of `$port_http`."""

    mesh: TaskMesh
    proxy: RunningEnvoy

    async def get(self, host: str, path: str = "/", method: str = "GET", **headers: str) -> Answer:
        """One request; `_` in headers' names stands for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.mesh.call(self.mesh.port("http"), host, path, method=method, headers=named)

    async def names(self, count: int, host: str, path: str = "/") -> Counter[str]:
        """How often each backend answered."""
        return Counter([(await self.get(host, path)).name for _ in range(count)])


async def http_pods(stack: AsyncExitStack, kinds: Iterable[tuple[str, str, Mapping[str, str]]]) -> list[dict[str, Any]]:
    """A pod `APP-VERSION` with a backend called VERSION for each app, version and further labels."""
    pods = []
    for number, (app, version, labels) in enumerate(kinds):
        address = f"127.0.1.{number + 1}"
        port = await stack.enter_async_context(http_backend(version, address))
        pods.append(pod(f"{app}-{version}", address, {"http": port}, app=app, **labels))
    return pods
