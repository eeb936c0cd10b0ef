"""One pod, from its binding to its end: the loop that brings its processes where its spec wants them.

Everything that happens to the pod (its object, its sources, its containers, time) wakes the loop; a deletion
interrupts it. Status goes out through a loop of its own, always the latest.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from lateen.cluster.client.backoff import Backoff
from lateen.cluster.client.events import EventType
from lateen.cluster.node import local_storage, name_resolution
from lateen.cluster.node.container_start import ContainerStarter, PodFacts
from lateen.cluster.node.context import PODS, NodeContext
from lateen.cluster.node.plan import make_plan
from lateen.cluster.node.pod_directory import PodDirectory
from lateen.cluster.node.pod_status import Facts, merged, pod_status
from lateen.cluster.node.probes import actions
from lateen.cluster.node.probes.outcome import Outcome
from lateen.cluster.node.references import references_of
from lateen.cluster.node.sandbox import Sandbox, SandboxError
from lateen.cluster.node.shim_client import ContainerState
from lateen.cluster.node.status_reporter import StatusReporter
from lateen.cluster.node.tasks import end_tasks
from lateen.cluster.node.termination import Stopper
from lateen.cluster.node.tracked import Tracked, declared, recall
from lateen.cluster.node.volumes.content import VolumeError
from lateen.cluster.node.volumes.pod_volumes import PodVolumes, Volume
from lateen.cluster.objects import Obj, key_of, metadata, parse_timestamp, timestamp, uid_of
from lateen.cluster.status import StatusError

_DEADLINE = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
_REMOVED_GRACE = 2.0
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


class PodWorker:
    """Runs one pod. `update` and `remove` are the informer's word; `run` ends when nothing of the pod is left."""

    def __init__(self, context: NodeContext, pod: Obj) -> None:
        self.pod = pod
        self.directory = PodDirectory.of(context.layout.node_root(context.number), uid_of(pod))
        self.containers: list[Tracked] = []
        self.adopted = asyncio.Event()
        """Set once `containers` says what there is."""
        self._context = context
        self._hostname = name_resolution.hostname(pod, context.node_name)
        self.sandbox = Sandbox(self.directory, context.layout, context.number, context.network, self._hostname)
        self._volumes = PodVolumes(self.directory, context.client, context.sources)
        self._mounted: dict[str, Volume] | None = None
        self._stale = False
        self._measure_at = 0.0
        self._wake = asyncio.Event()
        self._deleting = asyncio.Event()
        self._grace_changed = asyncio.Event()
        self._removed = False
        self._ended = False
        self._failed: tuple[str, str] | None = None
        self._reporter = StatusReporter(context.client, lambda: None if self._removed else self.pod, self._status)
        self._started_at = (pod.get("status") or {}).get("startTime") or timestamp()
        self._group = asyncio.TaskGroup()
        self._retry = Backoff(0.5, 10.0, jitter=0.1)
        self._starter = ContainerStarter(
            context,
            self.directory,
            self._group,
            pod=lambda: self.pod,
            changed=self._reporter.changed,
            stop=self._stop_one,
        )
        self._note_deletion()

    # --- from the outside ------------------------------------------------------------------------------------

    def update(self, pod: Obj) -> None:
        before = metadata(self.pod).get("deletionGracePeriodSeconds")
        self.pod = pod
        if metadata(pod).get("deletionGracePeriodSeconds") != before:
            self._grace_changed.set()
        self._note_deletion()
        if self.adopted.is_set():
            # Ephemeral containers come while the pod runs.
            known = {container.name for container in self.containers}
            added = [(c, role) for c, role in declared(pod["spec"]) if c["name"] not in known]
            self.containers.extend(Tracked(c, role) for c, role in added)
        self.sources_changed()

    def remove(self) -> None:
        """The object is gone: what runs is stopped, nothing is reported any more."""
        self._removed = True
        self._grace_changed.set()
        self._deleting.set()

    def sources_changed(self) -> None:
        """The pod or something it refers to has changed: volumes must follow."""
        self._stale = True
        self._wake.set()

    def described(self) -> Obj:
        """The pod with the node's own present status."""
        return merged(self.pod, self._status())

    def successor(self) -> PodWorker:
        """A worker that starts over with this one's pod, from what is on disk."""
        fresh = PodWorker(self._context, self.pod)
        if self._removed:
            fresh.remove()
        return fresh

    def _note_deletion(self) -> None:
        if metadata(self.pod).get("deletionTimestamp"):
            self._deleting.set()

    # --- the loop --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the pod is gone. Cancelled (the node stops), the pod's processes go on."""
        async with self._group as group:
            reporter = group.create_task(self._reporter.run())
            try:
                await self._adopt()
                if self._ended and self.sandbox.id:
                    # The former node process ended between the report and the cleaning up.
                    await self._stop_all()
                    await self._release()
                while not self._deleting.is_set():
                    self._wake.clear()
                    delay = None if self._ended else await self._unless_deleted(self._sync())
                    await self._unless_deleted(self._rest(delay))
                await self._terminate()
            finally:
                reporter.cancel()
                for container in self.containers:
                    container.cancel_probes()
                await self.sandbox.disconnect()

    async def _unless_deleted(self, work: Coroutine[Any, Any, float | None]) -> float | None:
        task = asyncio.ensure_future(work)
        deleted = asyncio.ensure_future(self._deleting.wait())
        try:
            await asyncio.wait((task, deleted), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            await end_tasks(task, deleted)

    async def _rest(self, delay: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._wake.wait()

    async def _adopt(self) -> None:
        """Finds what a former node process has left of this pod."""
        alive = await self.sandbox.adopt(self._container_changed, self._wake.set)
        states = self.sandbox.shim.states if alive and self.sandbox.shim else {}
        self.containers = [recall(self.directory, c, role, states) for c, role in declared(self.pod["spec"])]
        self._ended = (self.pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        known = self.pod.get("status") or {}
        statuses = [s for part in _STATUSES for s in known.get(part) or ()]
        by_id = {status.get("containerID"): status for status in statuses}
        for container in self.containers:
            status = by_id.get(f"lateen://{container.id}", {})
            container.image_id = status.get("imageID", "")
            if container.running:
                container.started, container.ready = bool(status.get("started")), bool(status.get("ready"))
                self._starter.begin_probes(container, self._address, spread=True)
        # Told, not mended: to make the sandbox anew would end processes that may well be serving.
        if alive and (fault := await self.sandbox.network_fault(self.pod)):
            self._event("Warning", "NetworkNotReady", f"network of the running pod: {fault}")
        self.adopted.set()
        if not self._ended:
            self._reporter.changed()

    async def _sync(self) -> float | None:
        """One step towards the spec; seconds after which to look again, or None."""
        references = references_of(self.pod)
        self._context.references.use(uid_of(self.pod), references)
        await self._context.references.synced(references)
        deadline = self._active_deadline()
        if deadline is not None and deadline <= time.time():
            self._event("Normal", "DeadlineExceeded", _DEADLINE[1])
            await self._end(_DEADLINE)
            return None
        policy = self.pod["spec"].get("restartPolicy") or "Always"
        if make_plan(self.containers, policy).finished:
            await self._end(None)
            return None
        try:
            await self._prepare()
        except VolumeError as error:
            self._event("Warning", "FailedMount", str(error))
            return self._retry.next()
        except SandboxError as error:
            self._event("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            return self._retry.next()
        self._retry.reset()
        delays = await self._start_containers(policy)
        if make_plan(self.containers, policy).finished:
            await self._end(None)
            return None
        if local_storage.is_limited(self.pod):
            if time.monotonic() >= self._measure_at and (excess := await self._measure()):
                self._event("Warning", "Evicted", excess)
                await self._end(("Evicted", excess))
                return None
            delays.append(max(0.0, self._measure_at - time.monotonic()))
        now = time.time()
        if deadline is not None:
            delays.append(deadline - now)
        if self._volumes.renew_at is not None:
            delays.append(max(0.0, self._volumes.renew_at - now))
        return min(delays, default=None)

    async def _measure(self) -> str:
        """Why the pod must be evicted for what it keeps on disk; empty when it need not."""
        self._measure_at = time.monotonic() + local_storage.INTERVAL
        attempts = [(c.name, c.attempt) for c in self.containers if c.attempt >= 0]
        return await asyncio.to_thread(local_storage.excess, self.pod, self.directory, attempts)

    async def _prepare(self) -> None:
        """Volumes and sandbox. Raises VolumeError, SandboxError."""
        if self.sandbox.shim is not None and not self.sandbox.ready:
            self._event("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        if not self.sandbox.ready:
            for container in self.containers:
                container.lose()
            # A new sandbox has a new network: nothing of an old one must be taken for it.
            await self.sandbox.tear_down(self.pod)
            self.directory.create()
            self.directory.save_manifest(self.pod)
            self._volumes.create_directories(self.pod)
        due = self._volumes.renew_at is not None and self._volumes.renew_at <= time.time()
        if self._mounted is None:
            self._stale = False
            self._mounted = await self._volumes.set_up(self.pod)
        elif self._stale or due:
            self._stale = False
            try:
                await self._volumes.refresh(self.described())
            except VolumeError as error:
                # What runs has its old contents; they follow when the source is right again.
                self._event("Warning", "FailedMount", str(error))
        if not self.sandbox.ready:
            await self.sandbox.create(self.pod, self._volumes.tmpfs(self.pod), self._container_changed, self._wake.set)
            # Only now the pod has addresses, which downward volumes may show.
            self._mounted = await self._volumes.set_up(self.described())
            self._reporter.changed()

    async def _start_containers(self, policy: str) -> list[float]:
        """Starts what the plan says, again until nothing new can start. Returns the delays of those that wait."""
        while True:
            delays: list[float] = []
            progress = False
            for container in make_plan(self.containers, policy).start:
                shim = self.sandbox.shim
                if shim is None or not self.sandbox.ready or (container.stopping and container.running):
                    break
                facts = PodFacts(self.described(), self._address, self._hostname, self._mounted or {}, shim)
                delay = await self._starter.start(container, facts)
                if delay is None:
                    progress = True
                else:
                    delays.append(delay)
            if not progress:
                return delays

    def _container_changed(self, state: ContainerState) -> None:
        container = next((c for c in self.containers if c.id == state["id"]), None)
        if container is None:
            return
        container.take(state, self.directory)
        self._reporter.changed()
        self._wake.set()

    def _active_deadline(self) -> float | None:
        seconds = self.pod["spec"].get("activeDeadlineSeconds")
        return None if seconds is None else parse_timestamp(self._started_at).timestamp() + float(seconds)

    # --- stopping --------------------------------------------------------------------------------------------

    def _stopper(self) -> Stopper | None:
        if self.sandbox.shim is None:
            return None

        def event(container: Tracked, kind: EventType, reason: str, message: str) -> None:
            self._starter.event(self.pod, container, kind, reason, message)

        async def run_hook(container: Tracked, hook: Obj) -> Outcome:
            return await actions.run_hook(hook, container.spec, self._address, self.directory.path, container.id)

        return Stopper(self.sandbox.shim, event, run_hook)

    def _grace(self) -> float:
        """Seconds that stopping may take."""
        asked = metadata(self.pod).get("deletionGracePeriodSeconds")
        if asked is None and self._removed:
            return _REMOVED_GRACE
        if asked is None:
            asked = self.pod["spec"].get("terminationGracePeriodSeconds")
        return 30.0 if asked is None else float(asked)

    def _stop_one(self, container: Tracked, grace: float | None, message: str) -> None:
        stopper = self._stopper()
        if stopper is not None and container.running and not container.stopping:
            seconds = self._grace() if grace is None else float(grace)
            self._group.create_task(stopper.stop(container, seconds, message))

    async def _stop_all(self) -> None:
        """Stops every container; a shorter grace period that comes meanwhile counts from then on."""
        stopper = self._stopper()
        if stopper is None:
            return
        while True:
            self._grace_changed.clear()
            stopping = asyncio.ensure_future(stopper.stop_all(self.containers, self._grace()))
            shorter = asyncio.ensure_future(self._grace_changed.wait())
            try:
                await asyncio.wait((stopping, shorter), return_when=asyncio.FIRST_COMPLETED)
                if stopping.done():
                    stopping.result()
                    return
            finally:
                await end_tasks(stopping, shorter)

    async def _end(self, failed: tuple[str, str] | None) -> None:
        """The pod is done (or failed as a whole): what still runs is stopped, logs and records stay."""
        self._failed = failed
        await self._stop_all()
        self._ended = True
        self._reporter.changed()
        await self._release()

    async def _release(self) -> None:
        """Takes down sandbox, limits, layers."""
        backoff = Backoff(0.2, 5.0)
        while True:
            try:
                await self.sandbox.tear_down(self.pod)
                break
            except SandboxError as error:
                self._event("Warning", "FailedKillPod", f"error killing pod: {error}")
                await asyncio.sleep(backoff.next())
        for container in self.containers:
            container.end()
        self._mounted = None
        await asyncio.to_thread(self._context.cgroups.remove, uid_of(self.pod))
        for container in self.containers:
            if container.attempt >= 0:
                layer = self.directory.root_layer(container.name, container.attempt)
                await asyncio.to_thread(shutil.rmtree, layer, True)

    async def _terminate(self) -> None:
        """The pod is being deleted: stop, report, clean up, and let the object go."""
        ran = self.directory.path.is_dir()
        await self._stop_all()
        if ran and not self._ended:
            self._ended = True
            await self._reporter.send()
        await self._release()
        self._context.references.use(uid_of(self.pod), ())
        await asyncio.to_thread(self.directory.remove)
        backoff = Backoff(0.1, 5.0)
        while not self._removed:
            try:
                await self._context.client.delete(PODS, key_of(self.pod), grace_seconds=0, uid=uid_of(self.pod))
                return
            except StatusError as error:
                if error.code in (404, 409):
                    return
                await asyncio.sleep(backoff.next())

    # --- status ----------------------------------------------------------------------------------------------

    @property
    def _address(self) -> str:
        return self.sandbox.ips[0] if self.sandbox.ips else str(self._context.layout.node(self._context.number).ipv4)

    def _event(self, kind: EventType, reason: str, message: str) -> None:
        self._context.events.event(self.pod, kind, reason, message)

    def _status(self) -> Obj:
        node = self._context.layout.node(self._context.number)
        known = self._reporter.sent or self.pod.get("status") or {}
        addresses = self.sandbox.ips or tuple(entry["ip"] for entry in known.get("podIPs") or ())
        facts = Facts(
            addresses=addresses,
            host_addresses=(str(node.ipv4), str(node.ipv6)),
            sandbox_ready=self.sandbox.ready and not self._ended,
            ended=self._ended,
            started_at=self._started_at,
            failed=self._failed,
        )
        return pod_status(self.pod, self.containers, facts, known)
