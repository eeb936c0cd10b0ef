"""What the node knows of one container of a pod: its attempts, its waiting, its probes' results."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lateen.cluster.node.crash_backoff import CrashBackoff
from lateen.cluster.node.pod_directory import PodDirectory
from lateen.cluster.objects import Obj

Role = Literal["init", "sidecar", "main", "ephemeral"]
_MESSAGE_BYTES = 4096
_FALLBACK_BYTES = 2048
_FALLBACK_LINES = 80
_CONTEXT_LOST = "The container could not be located when the pod was restarted"


def declared(spec: Obj) -> list[tuple[Obj, Role]]:
    """A pod spec's containers in the order of their start, each with its role."""
    init: list[tuple[Obj, Role]] = [
        (c, "sidecar" if c.get("restartPolicy") == "Always" else "init") for c in spec.get("initContainers") or ()
    ]
    main: list[tuple[Obj, Role]] = [(c, "main") for c in spec.get("containers") or ()]
    return [*init, *main, *((c, "ephemeral") for c in spec.get("ephemeralContainers") or ())]


@dataclass(slots=True)
class Tracked:
    """One container. `state` is the shim's word on the current attempt; None before the first one."""

    spec: Obj
    role: Role
    attempt: int = -1
    state: dict[str, Any] | None = None
    previous: dict[str, Any] | None = None
    message: str = ""
    previous_message: str = ""
    image_id: str = ""
    waiting: tuple[str, str] | None = None
    """Reason and message while the next attempt does not start."""
    in_sandbox: bool = False
    """Whether the current attempt belongs to the pod's present sandbox."""
    ready: bool = False
    started: bool = False
    pre_stop_done: bool = False
    stopping: bool = False
    backoff: CrashBackoff = field(default_factory=CrashBackoff)
    image_backoff: CrashBackoff = field(default_factory=CrashBackoff)
    image_failed_at: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever the shim tells of this container; who waits clears it first."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the current attempt is over."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    """Probes of the current attempt."""

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def id(self) -> str:
        return str((self.state or {}).get("id") or "")

    @property
    def running(self) -> bool:
        return self.state is not None and self.state["state"] in ("running", "starting")

    @property
    def exited(self) -> bool:
        return self.state is not None and self.state["state"] == "exited"

    @property
    def exit_code(self) -> int:
        return int((self.state or {}).get("exit_code", 0))

    @property
    def ended_at(self) -> float:
        return float((self.state or {}).get("finished_at", 0.0))

    def begin(self, attempt: int, container_id: str) -> None:
        """A new attempt: what was current becomes the previous one."""
        if self.state is not None:
            self.previous, self.previous_message = self.state, self.message
        self.attempt = attempt
        self.state = {"id": container_id, "state": "starting", "started_at": 0.0}
        self.message = ""
        self.waiting = None
        self.in_sandbox = True
        self.ready = self.started = self.pre_stop_done = self.stopping = False
        self.finished = asyncio.Event()
        self.changed = asyncio.Event()

    def take(self, state: dict[str, Any], directory: PodDirectory) -> None:
        """The shim's word on the current attempt."""
        self.state = state
        if state["state"] == "exited":
            self.message = read_message(directory, self.spec, self.attempt, int(state["exit_code"]))
            self.ready = self.started = False
            self.cancel_probes()
            self.finished.set()
        self.changed.set()

    def lose(self) -> None:
        """The sandbox is gone and took the container with it; the next one begins from the first init container."""
        self.end()
        self.in_sandbox = False

    def end(self) -> None:
        """Nothing of the pod runs any more, nor will: what is known of the container stays as it is."""
        if self.running:
            self.state = {
                **(self.state or {}),
                "state": "exited",
                "exit_code": 137,
                "lost": True,
                "finished_at": time.time(),
            }
            self.message = _CONTEXT_LOST
        self.ready = self.started = False
        self.cancel_probes()
        self.finished.set()
        self.changed.set()

    def cancel_probes(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.tasks.clear()


def read_message(directory: PodDirectory, container: Obj, attempt: int, exit_code: int) -> str:
    """The termination message: its file, or the log's end where the policy says so and the container failed."""
    try:
        with open(directory.termination_message(container["name"], attempt), "rb") as file:
            text = file.read(_MESSAGE_BYTES).decode(errors="replace")
    except OSError:
        text = ""
    if text or exit_code == 0 or container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return text
    return _log_tail(directory.log(container["name"], attempt))


def _log_tail(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - 4 * _FALLBACK_BYTES))
            lines = file.read().splitlines()[-_FALLBACK_LINES:]
    except OSError:
        return ""
    texts = [line.split(b" ", 3)[3] for line in lines if line.count(b" ") >= 3]
    return (b"\n".join(texts) + b"\n" if texts else b"")[-_FALLBACK_BYTES:].decode(errors="replace")


def recall(directory: PodDirectory, container: Obj, role: Role, states: dict[str, dict[str, Any]]) -> Tracked:
    """What a former node process left: from the attempts' records and what the shim (if it lives) knows."""
    tracked = Tracked(container, role)
    base = directory.container(tracked.name)
    records = {int(p.stem): _read_record(p) for p in base.glob("*.json")} if base.is_dir() else {}
    known = {int(s["attempt"]): s for s in states.values() if s["name"] == tracked.name}
    attempts = records.keys() | known.keys()
    if not attempts:
        return tracked
    tracked.attempt = max(attempts)
    tracked.previous = records.get(tracked.attempt - 1)
    if tracked.previous is not None:
        code = int(tracked.previous.get("exit_code", 0))
        tracked.previous_message = read_message(directory, container, tracked.attempt - 1, code)
    alive = known.get(tracked.attempt)
    state = alive or records.get(tracked.attempt) or {"id": "", "state": "starting", "started_at": 0.0}
    tracked.in_sandbox = alive is not None or state["state"] == "exited"
    tracked.take(state, directory)
    if alive is None and tracked.running:
        tracked.lose()
    return tracked


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and "state" in record else None
