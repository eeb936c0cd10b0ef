"""The pods of one node: a worker for each, fed by the API; and what the node's HTTPS API asks of them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lateen.cluster.client.informer import Handler, Informer
from lateen.cluster.node.context import NodeContext
from lateen.cluster.node.pod_directory import PodDirectory
from lateen.cluster.node.pod_worker import PodWorker
from lateen.cluster.node.process_streams import attach, execute
from lateen.cluster.node.runtime import LogFiles, Process
from lateen.cluster.node.shim_client import ShimError
from lateen.cluster.node.tracked import Tracked
from lateen.cluster.objects import Key, Obj, key_of, name_of, namespace_of, uid_of
from lateen.cluster.status import StatusError, bad_request, internal_error, not_found

_log = logging.getLogger(__name__)

_RESTART_SECONDS = 1.0


class Pods:
    """Implements `runtime.Runtime`."""

    def __init__(self, context: NodeContext, group: asyncio.TaskGroup) -> None:
        self._context = context
        self._group = group
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    # --- workers ---------------------------------------------------------------------------------------------

    async def follow(self, informer: Informer) -> None:
        """Runs the pods that `informer` (of this node's pods) knows, and ends those it knows no more.

        Returns when it is known of each what there is; they go on until the task group ends."""
        await informer.synced.wait()
        informer.add_handler(Handler(self._added, lambda _old, new: self._updated(new), self._deleted))
        present = {uid_of(pod) for pod in informer.store.list()}
        for directory in self._left_behind():
            if directory.uid not in present:
                self._end_forgotten(directory)
        for worker in list(self._workers.values()):
            await worker.adopted.wait()

    def sources_changed(self, uid: str) -> None:
        """An object that the pod refers to has changed."""
        if worker := self._workers.get(uid):
            worker.sources_changed()

    def _left_behind(self) -> list[PodDirectory]:
        base = self._context.layout.node_root(self._context.number) / "pods"
        return [PodDirectory(path) for path in base.iterdir() if path.is_dir()] if base.is_dir() else []

    def _end_forgotten(self, directory: PodDirectory) -> None:
        """A pod of a former node process that was deleted while no node ran."""
        try:
            pod = json.loads(directory.manifest.read_bytes())
        except (OSError, ValueError):
            directory.remove()
            return
        self._added(pod)
        self._deleted(pod)

    def _added(self, pod: Obj) -> None:
        uid = uid_of(pod)
        if uid in self._workers:
            self._updated(pod)
            return
        worker = self._workers[uid] = PodWorker(self._context, pod)
        self._tasks[uid] = self._group.create_task(self._work(worker))

    def _updated(self, pod: Obj) -> None:
        if worker := self._workers.get(uid_of(pod)):
            worker.update(pod)

    def _deleted(self, pod: Obj) -> None:
        if worker := self._workers.get(uid_of(pod)):
            worker.remove()

    async def _work(self, worker: PodWorker) -> None:
        """One pod's failure must not end the others: its worker starts over, from what is on disk."""
        uid = uid_of(worker.pod)
        while True:
            try:
                await worker.run()
                break
            except Exception:
                _log.exception("pod %s", key_of(worker.pod))
                await asyncio.sleep(_RESTART_SECONDS)
                worker = self._workers[uid] = worker.successor()
        self._workers.pop(uid, None)
        self._tasks.pop(uid, None)

    def containers(self) -> list[tuple[Obj, Sequence[Tracked]]]:
        """Each pod with what is known of its containers."""
        return [(worker.described(), worker.containers) for worker in self._workers.values()]

    # --- Runtime ---------------------------------------------------------------------------------------------

    def pods(self) -> list[Obj]:
        return [worker.described() for worker in self._workers.values()]

    def find_pod(self, namespace: str, pod: str, uid: str = "") -> Obj:
        return self._worker(namespace, pod, uid).described()

    def _worker(self, namespace: str, pod: str, uid: str) -> PodWorker:
        for worker in self._workers.values():
            if namespace_of(worker.pod) == namespace and name_of(worker.pod) == pod and uid in ("", uid_of(worker.pod)):
                return worker
        raise not_found("", "pods", str(Key("", pod)))

    def _container(self, worker: PodWorker, name: str) -> Tracked:
        for container in worker.containers:
            if container.name == name:
                return container
        raise bad_request(f"container {name} is not valid for pod {name_of(worker.pod)}")

    def _running(self, namespace: str, pod: str, name: str, uid: str) -> tuple[Path, Tracked]:
        worker = self._worker(namespace, pod, uid)
        container = self._container(worker, name)
        if not container.running or not (container.state or {}).get("started_at"):
            raise StatusError(404, "NotFound", f'container not found ("{name}")', kind="pods", name=pod)
        return worker.directory.path, container

    def logs(self, namespace: str, pod: str, container: str, *, previous: bool = False, uid: str = "") -> LogFiles:
        worker = self._worker(namespace, pod, uid)
        tracked = self._container(worker, container)
        attempt = tracked.attempt - 1 if previous else tracked.attempt
        if previous and (attempt < 0 or not worker.directory.log(container, attempt).exists()):
            raise bad_request(f'previous terminated container "{container}" in pod "{pod}" not found')
        if attempt < 0:
            reason = (tracked.waiting or ("",))[0]
            trying = "trying and failing to pull image" if "Image" in reason else "ContainerCreating"
            if any(c.role in ("init", "sidecar") for c in worker.containers) and not reason:
                trying = "PodInitializing"
            shown = trying if "Image" in reason else reason or trying
            raise bad_request(f'container "{container}" in pod "{pod}" is waiting to start: {shown}')
        path = worker.directory.log(container, attempt)
        finished = tracked.finished
        if previous:
            finished = asyncio.Event()
            finished.set()
        rotated = path.with_name(path.name + ".1")
        return LogFiles(path, tuple(p for p in (rotated, path) if p.exists()), finished)

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bool = False,
        stdout: bool = True,
        stderr: bool = True,
        tty: bool = False,
        uid: str = "",
    ) -> Process:
        directory, tracked = self._running(namespace, pod, container, uid)
        if not argv:
            raise bad_request("you must specify at least 1 command for the container")
        options: dict[str, Any] = {"stdin": stdin, "stdout": stdout, "stderr": stderr, "tty": tty}
        try:
            return await execute(directory, tracked.id, argv, **options)
        except (ShimError, TimeoutError) as error:
            raise internal_error(
                f"error executing command in container: failed to exec in container: {error}"
            ) from None

    async def attach(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        stdin: bool = False,
        stdout: bool = True,
        stderr: bool = True,
        uid: str = "",
    ) -> Process:
        directory, tracked = self._running(namespace, pod, container, uid)
        if stdin and not tracked.spec.get("stdin"):
            raise bad_request(f"container {container} has no stdin")
        stderr = stderr and not tracked.spec.get("tty")
        try:
            return await attach(directory, tracked.id, stdin=stdin, stdout=stdout, stderr=stderr)
        except (ShimError, TimeoutError) as error:
            raise internal_error(f"error attaching to container: {error}") from None

    def network_namespace(self, namespace: str, pod: str, uid: str = "") -> Path | None:
        worker = self._worker(namespace, pod, uid)
        if not worker.sandbox.ready:
            raise bad_request(f'pod "{pod}" is not running')
        return worker.sandbox.netns
