"""A node without a cluster: real processes in real namespaces, an API in memory, the test's own network."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lateen.cluster.client.events import EventRecorder
from lateen.cluster.client.informer import Informer
from lateen.cluster.layout import Layout
from lateen.cluster.node.__main__ import SERVICES, node_context
from lateen.cluster.node.context import PODS
from lateen.cluster.node.pods import Pods
from lateen.cluster.node.references import References
from lateen.cluster.node.tasks import end_tasks
from lateen.cluster.objects import GVR, Key, Obj
from lateen.cluster.testing.memory_api import MemoryApi


@dataclass(frozen=True)
class SharedNetwork:
    netns_path: Path
    ips: tuple[str, ...]


class NoNetwork:
    """Pods use the network of the calling process."""

    async def add(self, _pod: Obj, _sandbox_id: str) -> SharedNetwork:
        return SharedNetwork(Path("/proc/self/ns/net"), ("127.0.0.1",))

    async def check(self, pod: Obj, sandbox_id: str) -> SharedNetwork:
        return await self.add(pod, sandbox_id)

    async def remove(self, _pod: Obj, _sandbox_id: str) -> None:
        return None


class SingleNode:
    """One node and the API that it talks to."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.api = MemoryApi()
        self.pods: Pods

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The node's process; leaving is to the pods as if it were killed: they go on."""
        ready = asyncio.Event()
        process = asyncio.ensure_future(self._run(ready))
        started = asyncio.ensure_future(ready.wait())
        await asyncio.wait((process, started), return_when=asyncio.FIRST_COMPLETED)
        try:
            if process.done():
                process.result()
            yield
        finally:
            await end_tasks(process, started)

    async def _run(self, ready: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            name = self.layout.node(1).name
            events = EventRecorder(self.api, "kubelet", name)
            services = Informer(self.api, SERVICES)
            informer = Informer(self.api, PODS, fields=f"spec.nodeName={name}")
            references = References(self.api, group, lambda uid: self.pods.sources_changed(uid))
            context = node_context(self.layout, 1, self.api, events, NoNetwork(), references, services)
            self.pods = Pods(context, group)
            for work in (events.run(), services.run(), informer.run()):
                group.create_task(work)
            await services.synced.wait()
            await self.pods.follow(informer)
            ready.set()

    async def create(self, spec: Obj, name: str = "", **meta: Any) -> Key:
        name = name or f"pod-{uuid.uuid4().hex[:8]}"
        spec = {"nodeName": self.layout.node(1).name, "terminationGracePeriodSeconds": 1, **spec}
        metadata = {"name": name, "namespace": "default", **meta}
        await self.api.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        return Key("default", name)

    async def put(self, plural: str, name: str, **fields: Any) -> None:
        obj = {"apiVersion": "v1", "metadata": {"name": name, "namespace": "default"}, **fields}
        await self.api.create(GVR("", "v1", plural), obj)

    async def until(self, key: Key, condition: Callable[[Obj], bool]) -> Obj:
        """The pod once `condition` holds."""
        async with asyncio.timeout(40), self.api.changed:
            while True:
                pod = self.api.objects[PODS].get(key)
                if pod is not None and condition(pod):
                    return pod
                await self.api.changed.wait()

    async def until_phase(self, key: Key, phase: str) -> Obj:
        return await self.until(key, lambda pod: (pod.get("status") or {}).get("phase") == phase)

    async def until_event(self, reason: str) -> Obj:
        async with asyncio.timeout(40), self.api.changed:
            while True:
                for event in self.api.events:
                    if event["reason"] == reason:
                        return event
                await self.api.changed.wait()

    async def until_gone(self, key: Key) -> None:
        async with asyncio.timeout(40), self.api.changed:
            while key in self.api.objects[PODS]:
                await self.api.changed.wait()

    def log(self, key: Key, container: str, *, previous: bool = False) -> str:
        files = self.pods.logs(key.namespace, key.name, container, previous=previous)
        text = "".join(path.read_text() for path in files.paths)
        return "\n".join(line.split(" ", 3)[3] for line in text.splitlines())

    async def execute(self, key: Key, container: str, *argv: str) -> tuple[int, str]:
        process = await self.pods.exec(key.namespace, key.name, container, argv, stderr=False)
        assert process.stdout is not None
        output = await process.stdout.read()
        code = await process.wait()
        await process.close()
        return code, output.decode()


def container(script: str, name: str = "main", **fields: Any) -> Obj:
    """A container that runs a shell script."""
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **fields}


FOREVER = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"
