"""Starts one attempt of a container: image, configuration, process, postStart, probes."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lateen.cluster.client.events import EventType
from lateen.cluster.images.catalog import Image, UnknownImageError
from lateen.cluster.node import crash_backoff
from lateen.cluster.node.container_spec import container_spec
from lateen.cluster.node.context import NodeContext
from lateen.cluster.node.environment import ConfigError
from lateen.cluster.node.pod_directory import PodDirectory
from lateen.cluster.node.probes import actions
from lateen.cluster.node.probes.outcome import Outcome
from lateen.cluster.node.probes.prober import Kind, Prober
from lateen.cluster.node.shim_client import Shim, ShimError
from lateen.cluster.node.tasks import end_tasks
from lateen.cluster.node.tracked import Tracked
from lateen.cluster.node.volumes.pod_volumes import Volume
from lateen.cluster.objects import Obj, name_of, namespace_of, uid_of

_RETRY_CONFIG = 10.0
_LOOK_FOR_IMAGE = 2.0


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What a start needs of the pod, as it is at this moment."""

    pod: Obj
    """With its current status: containers may ask for its addresses."""
    address: str
    hostname: str
    volumes: Mapping[str, Volume]
    shim: Shim


class ContainerStarter:
    """Starts the containers of one pod."""

    def __init__(
        self,
        context: NodeContext,
        directory: PodDirectory,
        group: asyncio.TaskGroup,
        *,
        pod: Callable[[], Obj],
        changed: Callable[[], None],
        stop: Callable[[Tracked, float | None, str], None],
    ) -> None:
        """`pod` gives the pod as it is now; `changed` is called when anything in a status changes; `stop` stops a
        container whose probe failed (with the probe's own grace period, if it has one, and what to say)."""
        self._context = context
        self._directory = directory
        self._group = group
        self._pod = pod
        self._changed = changed
        self._stop = stop

    def event(self, pod: Obj, container: Tracked, kind: EventType, reason: str, message: str) -> None:
        part = {"main": "containers", "ephemeral": "ephemeralContainers"}.get(container.role, "initContainers")
        self._context.events.event(pod, kind, reason, message, field_path=f"spec.{part}{{{container.name}}}")

    async def start(self, container: Tracked, facts: PodFacts) -> float | None:
        """Returns None when it was started (or failed for good: the pod's plan sees that), else when to try again,
        in seconds; `container.waiting` says why."""
        pod, now = facts.pod, time.time()
        if container.exited and (left := container.backoff.remaining(container.ended_at, now)) > 0:
            self._wait_after_crash(pod, container)
            return left
        found = self._find_image(pod, container, now)
        if found is None:
            return _LOOK_FOR_IMAGE
        attempt, container_id = container.attempt + 1, secrets.token_hex(32)
        cgroup = await asyncio.to_thread(
            self._context.cgroups.create,
            uid_of(pod),
            container.name,
            attempt,
            container.spec.get("resources") or {},
        )
        try:
            spec = container_spec(
                pod,
                container.spec,
                container_id=container_id,
                attempt=attempt,
                image=found,
                directory=self._directory,
                hostname=facts.hostname,
                volumes=facts.volumes,
                sources=self._context.sources,
                services=self._context.services(),
                cgroup=cgroup,
                machine=self._context.machine,
            )
        except (ConfigError, OSError) as error:
            await asyncio.to_thread(self._context.cgroups.remove, uid_of(pod), container.name, attempt)
            container.waiting = ("CreateContainerConfigError", str(error))
            self.event(pod, container, "Warning", "Failed", f"Error: {error}")
            self._changed()
            return _RETRY_CONFIG
        if container.attempt >= 0:
            container.backoff.next(now)
        container.begin(attempt, container_id)
        self.event(pod, container, "Normal", "Created", f"Created container: {container.name}")
        try:
            await facts.shim.start(spec)
        except ShimError as error:
            container.lose()
            self.event(pod, container, "Warning", "Failed", f"Error: {error}")
            return None
        await container.changed.wait()
        if attempt > 0:
            await asyncio.to_thread(self._forget, uid_of(pod), container.name, attempt)
        await self._started(container, facts)
        return None

    def _wait_after_crash(self, pod: Obj, container: Tracked) -> None:
        which = f"{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"
        if container.waiting is None:
            self.event(
                pod,
                container,
                "Warning",
                "BackOff",
                f"Back-off restarting failed container {container.name} in pod {which}",
            )
        delay = _duration(container.backoff.delay)
        container.waiting = (
            "CrashLoopBackOff",
            f"back-off {delay} restarting failed container={container.name} pod={which}",
        )
        self._changed()

    def _find_image(self, pod: Obj, container: Tracked, now: float) -> Image | None:
        """None: not in the catalog; events and the waiting reason follow the back-off, looking does not wait."""
        name = container.spec.get("image", "")
        try:
            _, image = self._context.catalog.find(name)
        except UnknownImageError as error:
            left = container.image_backoff.remaining(container.image_failed_at, now)
            if left > 0 and error.reason == "ErrImagePull":
                message = f'Back-off pulling image "{name}"'
                if (container.waiting or ("",))[0] != "ImagePullBackOff":
                    self.event(pod, container, "Normal", "BackOff", message)
                    self.event(pod, container, "Warning", "Failed", "Error: ImagePullBackOff")
                container.waiting = ("ImagePullBackOff", f"{message}: ErrImagePull: {error}")
            else:
                container.image_backoff.next(now)
                container.image_failed_at = now
                if error.reason == "ErrImagePull":
                    self.event(pod, container, "Normal", "Pulling", f'Pulling image "{name}"')
                    self.event(pod, container, "Warning", "Failed", f'Failed to pull image "{name}": {error}')
                    self.event(pod, container, "Warning", "Failed", "Error: ErrImagePull")
                else:
                    self.event(pod, container, "Warning", "InspectFailed", str(error))
                    self.event(pod, container, "Warning", "Failed", "Error: InvalidImageName")
                container.waiting = (error.reason, str(error))
            self._changed()
            return None
        container.image_backoff = crash_backoff.CrashBackoff()
        container.image_id = image.id
        if container.spec.get("imagePullPolicy") == "Always":
            self.event(pod, container, "Normal", "Pulling", f'Pulling image "{name}"')
            took = f"{max(1, round(1000 * (time.time() - now)))}ms"
            text = f'Successfully pulled image "{name}" in {took} ({took} including waiting)'
            self.event(pod, container, "Normal", "Pulled", text)
        else:
            self.event(pod, container, "Normal", "Pulled", f'Container image "{name}" already present on machine')
        return image

    def _forget(self, uid: str, name: str, attempt: int) -> None:
        """What only the former attempt needed; its record and log stay until the one after this."""
        self._context.cgroups.remove(uid, name, attempt - 1)
        shutil.rmtree(self._directory.root_layer(name, attempt - 1), ignore_errors=True)
        old = attempt - 2
        if old >= 0:
            self._directory.attempt_record(name, old).unlink(missing_ok=True)
            self._directory.termination_message(name, old).unlink(missing_ok=True)
            log = self._directory.log(name, old)
            for path in (log, log.with_name(log.name + ".1")):
                path.unlink(missing_ok=True)

    async def _started(self, container: Tracked, facts: PodFacts) -> None:
        self._changed()
        pod = facts.pod
        state = container.state or {}
        if state.get("failure"):
            text = f'failed to start container "{container.id}": {state["failure"]}'
            self.event(pod, container, "Warning", "Failed", f"Error: {text}")
            return
        self.event(pod, container, "Normal", "Started", f"Started container {container.name}")
        hook = (container.spec.get("lifecycle") or {}).get("postStart")
        if hook:
            outcome = await self._post_start(container, hook, facts)
            if not outcome.success:
                self.event(pod, container, "Warning", "FailedPostStartHook", f"PostStartHook failed: {outcome.message}")
                self._stop(container, None, "FailedPostStartHook")
                return
        self.begin_probes(container, facts.address, spread=False)
        self._changed()

    async def _post_start(self, container: Tracked, hook: Obj, facts: PodFacts) -> Outcome:
        """Ends early when the container does."""
        action = actions.run_hook(hook, container.spec, facts.address, self._directory.path, container.id)
        running = asyncio.ensure_future(action)
        ending = asyncio.ensure_future(container.finished.wait())
        try:
            await asyncio.wait((running, ending), return_when=asyncio.FIRST_COMPLETED)
            return running.result() if running.done() else Outcome(False, "container ended")
        finally:
            await end_tasks(running, ending)

    # --- probes ----------------------------------------------------------------------------------------------

    def begin_probes(self, container: Tracked, address: str, *, spread: bool) -> None:
        """For a container that runs; `container.started` and `.ready` may already be known of a former node process."""
        if not container.running:
            return
        if container.spec.get("startupProbe") and not container.started:
            self._probe(container, "Startup", address, spread)
            return
        container.started = True
        self._probe_started(container, address, spread)

    def _probe_started(self, container: Tracked, address: str, spread: bool) -> None:
        if container.spec.get("readinessProbe"):
            self._probe(container, "Readiness", address, spread)
        else:
            container.ready = True
        if container.spec.get("livenessProbe"):
            self._probe(container, "Liveness", address, spread)

    def _probe(self, container: Tracked, kind: Kind, address: str, spread: bool) -> None:
        probe = container.spec[f"{kind.lower()}Probe"]
        container_id = container.id

        async def run_once(probe: Obj) -> Outcome:
            return await actions.run_probe(probe, container.spec, address, self._directory.path, container_id)

        def told(kind: Kind, success: bool) -> None:
            if container.id != container_id or container.stopping:
                return
            if kind == "Readiness":
                container.ready = success
            elif success:
                if kind == "Startup":
                    container.started = True
                    self._probe_started(container, address, spread=False)
            else:
                text = f"Container {container.name} failed {kind.lower()} probe, will be restarted"
                self._stop(container, probe.get("terminationGracePeriodSeconds"), text)
            self._changed()

        def failed(kind: Kind, message: str) -> None:
            if container.id == container_id and not container.stopping:
                self.event(self._pod(), container, "Warning", "Unhealthy", f"{kind} probe failed: {message}")

        age = max(0.0, time.time() - float((container.state or {}).get("started_at", 0.0)))
        prober = Prober(kind, probe, run_once, told, failed)
        container.tasks.append(self._group.create_task(prober.run(age, spread=spread)))


def _duration(seconds: float) -> str:
    """As Go prints it: `10s`, `1m20s`, `5m0s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
