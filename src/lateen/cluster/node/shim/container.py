"""One attempt of one container: its first process, its output on the way to the log, its end on record."""

from __future__ import annotations

import json
import os
import signal
import socket
import time

from lateen.cluster.node.shim import launch
from lateen.cluster.node.shim.attachment import InputFeed, OutputCopy
from lateen.cluster.node.shim.launch import PidNamespaces
from lateen.cluster.node.shim.log_writer import LogWriter
from lateen.cluster.node.shim.reactor import READ, Reactor

TYPE_CHECKING = False  # `typing` itself would cost every pod a megabyte
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_CHUNK = 65536


class Container:
    """Runs as soon as it is made. `state()` is what is recorded and told to the node.

    States: `starting`, `running`, `exited`. A program that could not be started is `exited` with code 128 and
    `failure` saying why.
    """

    def __init__(
        self, reactor: Reactor, namespaces: PidNamespaces, spec: dict[str, Any], pause_pid: int, pid_mode: str
    ) -> None:
        self.id: str = spec["id"]
        self.spec = spec
        self.process: dict[str, Any] = spec["process"]
        self.pid = 0
        self._reactor = reactor
        self._record: str = spec["record"]
        self._oom_file: str = spec.get("oom_file", "")
        self._started_at = 0.0
        self._finished_at = 0.0
        self._failure = ""
        self._status = -1
        self._log = LogWriter(spec["log"]["path"], spec["log"]["max_bytes"])
        self._copies: dict[str, list[OutputCopy]] = {"stdout": [], "stderr": []}
        self._feeds: list[InputFeed] = []
        self._outputs: dict[str, int] = {}
        self._stdin = -1
        self._console: socket.socket | None = None
        self._failure_pipe = -1
        self.changed: Callable[[], None] = lambda: None
        self._launch(namespaces, pause_pid, pid_mode)

    # --- start -----------------------------------------------------------------------------------------------

    def _launch(self, namespaces: PidNamespaces, pause_pid: int, pid_mode: str) -> None:
        spec, process = self.spec, self.process
        failure_read, failure_write = os.pipe()
        streams: list[int] = []
        console: socket.socket | None = None
        if spec["tty"]:
            self._console, console = socket.socketpair()
        else:
            stdin_read, stdin_write = os.pipe() if spec["stdin"] else (os.open("/dev/null", os.O_RDONLY), -1)
            stdout_read, stdout_write = os.pipe()
            stderr_read, stderr_write = os.pipe()
            streams = [stdin_read, stdout_write, stderr_write]
            self._stdin = stdin_write
            self._outputs = {"stdout": stdout_read, "stderr": stderr_read}

        def set_up() -> None:
            os.setsid()
            launch.join_cgroups(spec["cgroups"])
            launch.adjust_oom_score(spec["oom_score_adj"])
            if not console:
                launch.use_streams(streams[0], streams[1], streams[2], process["uid"], process["gid"])
            launch.enter_container_root(spec)
            if console:
                launch.use_terminal(console, process["uid"])

        if pid_mode == "container":
            pid = namespaces.fork_new()
        elif pid_mode == "pod":
            pid = namespaces.fork_into(pause_pid)
        else:
            pid = os.fork()
        if pid == 0:
            launch.run_child(set_up, process, failure_write)
        self.pid = pid
        os.close(failure_write)
        for fd in streams:
            os.close(fd)
        if console:
            console.close()
        for stream, fd in self._outputs.items():
            self._watch_output(stream, fd)
        self._failure_pipe = failure_read
        self._reactor.watch(failure_read, READ, self._set_up_ended)

    def _set_up_ended(self, _events: int) -> None:
        """The pipe from the child ended: with a message when its program could not be started."""
        self._failure = os.read(self._failure_pipe, 4096).decode(errors="replace")
        self._reactor.forget(self._failure_pipe)
        os.close(self._failure_pipe)
        self._failure_pipe = -1
        self._receive_terminal()
        if not self._failure:
            self._started_at = time.time()
            self._save()
            self.changed()
        self._maybe_finish()

    def _receive_terminal(self) -> None:
        if self._console is None:
            return
        self._console.setblocking(False)
        try:
            _, fds, _, _ = socket.recv_fds(self._console, 1, 1)
        except OSError:
            fds = []
        self._console.close()
        self._console = None
        if fds:
            self._stdin = fds[0]
            self._outputs = {"stdout": fds[0]}
            self._watch_output("stdout", fds[0])

    # --- streams ---------------------------------------------------------------------------------------------

    @property
    def terminal(self) -> int:
        """The terminal's master end; -1 without a tty or when it has ended."""
        return self._outputs.get("stdout", -1) if self.spec["tty"] else -1

    def _watch_output(self, stream: str, fd: int) -> None:
        os.set_blocking(fd, False)
        self._reactor.watch(fd, READ, lambda _events: self._read_output(stream, fd))

    def _read_output(self, stream: str, fd: int) -> None:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            # A terminal nobody holds open any more reads as EIO.
            data = b""
        if data:
            self._log.write(stream, data)
            copies = self._copies[stream]
            for copy in copies:
                copy.write(data)
            self._copies[stream] = [copy for copy in copies if copy.open]
            return
        self._end_output(stream)
        self._maybe_finish()

    def _end_output(self, stream: str) -> None:
        fd = self._outputs.pop(stream)
        self._reactor.forget(fd)
        if self._stdin == fd:
            self._close_feeds()
            self._stdin = -1
        os.close(fd)
        self._log.end(stream)
        for copy in self._copies[stream]:
            copy.end()
        self._copies[stream] = []

    def attach(self, stdin: int, stdout: int, stderr: int) -> None:
        """Takes the descriptors over; -1 where a stream is not wanted."""
        for stream, fd in (("stdout", stdout), ("stderr", stderr)):
            if fd < 0:
                continue
            copy = OutputCopy(self._reactor, fd)
            if stream in self._outputs:
                self._copies[stream].append(copy)
            else:
                copy.close()
        if stdin >= 0 and self._stdin >= 0:
            self._feeds.append(InputFeed(self._reactor, stdin, self._stdin, self._feed_ended))
        elif stdin >= 0:
            os.close(stdin)

    def _feed_ended(self) -> None:
        """`stdinOnce`: the first client's end of input is the container's."""
        if self.spec["stdin_once"] and self._stdin >= 0 and not self.spec["tty"]:
            self._close_feeds()
            os.close(self._stdin)
            self._stdin = -1

    def _close_feeds(self) -> None:
        for feed in self._feeds:
            feed.close()
        self._feeds = []

    # --- end -------------------------------------------------------------------------------------------------

    def signal(self, number: int) -> None:
        if self.pid and self._status < 0:
            os.kill(self.pid, number)

    def reaped(self, status: int) -> None:
        """The first process has ended with this wait status."""
        self._status = status
        self._finished_at = time.time()
        if self.spec["pid_mode"] != "container":
            self._kill_rest()
        self._maybe_finish()

    def _kill_rest(self) -> None:
        """Without a process id namespace of its own, what the container left behind is found by its cgroup."""
        for path in self.spec["cgroups"][:1]:
            try:
                with open(path) as file:
                    for line in file:
                        os.kill(int(line), signal.SIGKILL)
            except (OSError, ValueError):
                continue

    def _maybe_finish(self) -> None:
        """Over when the process is reaped, its set-up is told, and its output is read to the end."""
        if self._status < 0 or self._failure_pipe >= 0:
            return
        for stream in list(self._outputs):
            self._drain(stream)
        self._close_feeds()
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1
        self._log.close()
        self._save()
        self.changed()

    def _drain(self, stream: str) -> None:
        """Reads what is left. A process that escaped with our pipe may keep it open: its output is not awaited."""
        fd = self._outputs[stream]
        while True:
            try:
                data = os.read(fd, _CHUNK)
            except OSError:
                break
            if not data:
                break
            self._log.write(stream, data)
            for copy in self._copies[stream]:
                copy.write(data)
        self._end_output(stream)

    @property
    def finished(self) -> bool:
        return self._status >= 0 and self._failure_pipe < 0

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"id": self.id, "name": self.spec["name"], "attempt": self.spec["attempt"]}
        state["pid"] = self.pid
        state["started_at"] = self._started_at
        if not self.finished:
            return state | {"state": "running" if self._started_at else "starting"}
        exited = os.WIFEXITED(self._status)
        return state | {
            "state": "exited",
            "exit_code": os.WEXITSTATUS(self._status) if exited else 128 + os.WTERMSIG(self._status),
            "signal": 0 if exited else os.WTERMSIG(self._status),
            "oom_killed": self._status != 0 and self._oom_kills() > 0,
            "failure": self._failure,
            "finished_at": self._finished_at,
        }

    def _oom_kills(self) -> int:
        if not self._oom_file:
            return 0
        try:
            with open(self._oom_file) as file:
                counts = dict(line.split() for line in file)
            return int(counts.get("oom_kill", 0))
        except (OSError, ValueError):
            return 0

    def _save(self) -> None:
        temporary = self._record + ".tmp"
        try:
            with open(temporary, "w") as file:
                json.dump(self.state(), file)
            os.rename(temporary, self._record)
        except OSError:
            return
