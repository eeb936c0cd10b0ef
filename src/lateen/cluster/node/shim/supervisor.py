"""The pod's supervisor: serves the node over a unix socket, reaps, and ends when it is told to.

Requests (`op`): `hello`, `start`, `signal`, `exec`, `attach`, `shutdown`. Every one is answered; a connection that
said `hello` is also told about every change of a container (`event: container`).
"""

from __future__ import annotations

import array
import fcntl
import os
import signal
import socket
import struct
import termios

from lateen.cluster.node.shim import launch, messages
from lateen.cluster.node.shim.container import Container
from lateen.cluster.node.shim.launch import PidNamespaces
from lateen.cluster.node.shim.messages import Decoder, MessageError
from lateen.cluster.node.shim.reactor import READ, WRITE, Reactor

TYPE_CHECKING = False  # `typing` itself would cost every pod a megabyte
if TYPE_CHECKING:
    from typing import Any

    from lateen.cluster.node.shim.messages import Message

_MAX_CONNECTIONS = 256


class _Connection:
    """One client. Its last process (`exec`) is killed when it leaves."""

    def __init__(self, supervisor: Supervisor, sock: socket.socket) -> None:
        self._supervisor = supervisor
        self._sock = sock
        self._decoder = Decoder()
        self._unsent = bytearray()
        self.descriptors: list[int] = []
        self.listening = False
        self.process = 0
        self.attached_to: Container | None = None
        sock.setblocking(False)
        supervisor.reactor.watch(sock.fileno(), READ, self._ready)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & ~WRITE:
            self._receive()

    def _receive(self) -> None:
        try:
            data, ancillary, _, _ = self._sock.recvmsg(65536, socket.CMSG_SPACE(messages.MAX_DESCRIPTORS * 4))
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
                self.descriptors.extend(fds)
        if not data:
            self.close()
            return
        try:
            for message in self._decoder.feed(data):
                self._supervisor.handle(self, message)
        except MessageError:
            self.close()

    def send(self, message: Message) -> None:
        if self._sock.fileno() < 0:
            return
        self._unsent += messages.encode(message)
        self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            self._supervisor.reactor.watch(self._sock.fileno(), READ | WRITE, self._ready)
            return
        except OSError:
            self.close()
            return
        self._supervisor.reactor.watch(self._sock.fileno(), READ, self._ready)

    def take_descriptors(self) -> list[int]:
        taken, self.descriptors = self.descriptors, []
        return taken

    def close(self) -> None:
        if self._sock.fileno() < 0:
            return
        self._supervisor.reactor.forget(self._sock.fileno())
        self._sock.close()
        for fd in self.take_descriptors():
            os.close(fd)
        self._supervisor.left(self)


class Supervisor:
    """All state of one pod's processes."""

    def __init__(self, listener: socket.socket, pid_mode: str) -> None:
        self.reactor = Reactor()
        self._listener = listener
        self._pid_mode = pid_mode
        self._namespaces = PidNamespaces()
        self._containers: dict[str, Container] = {}
        self._connections: list[_Connection] = []
        self._exec: dict[int, _Connection] = {}
        self._pause_pid = 0
        self._ended = False
        self._wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(self._wake_read, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        listener.setblocking(False)
        self.reactor.watch(listener.fileno(), READ, self._accept)
        self.reactor.watch(self._wake_read, READ, self._reap)

    def run(self) -> None:
        if self._pid_mode == "pod":
            self._start_pause()
        while not self._ended:
            self.reactor.step()

    def _start_pause(self) -> None:
        """The first process of a pod-wide process id namespace: reaps orphans until the shim ends."""
        self._pause_pid = self._namespaces.fork_new()
        if self._pause_pid == 0:
            from lateen.cluster.node.shim import kernel

            kernel.die_with_parent()
            signal.signal(signal.SIGTERM, lambda _number, _frame: None)
            while True:
                try:
                    os.wait()
                except ChildProcessError:
                    signal.sigwait({signal.SIGCHLD})

    # --- connections -----------------------------------------------------------------------------------------

    def _accept(self, _events: int) -> None:
        sock, _ = self._listener.accept()
        if len(self._connections) >= _MAX_CONNECTIONS:
            sock.close()
            return
        self._connections.append(_Connection(self, sock))

    def left(self, connection: _Connection) -> None:
        self._connections.remove(connection)
        if connection.process:
            try:
                os.kill(connection.process, signal.SIGKILL)
            except ProcessLookupError:
                return

    def handle(self, connection: _Connection, message: Message) -> None:
        operation = message.get("op")
        answer: Message = {"ok": True}
        try:
            if operation == "hello":
                connection.listening = True
                states = [container.state() for container in self._containers.values()]
                answer = {"containers": states, "pid": os.getpid(), "pause": self._pause_pid}
            elif operation == "start":
                self._start(message["container"])
            elif operation == "signal":
                self._containers[message["id"]].signal(message["signal"])
            elif operation == "exec":
                self._execute(connection, message)
                return
            elif operation == "attach":
                self._attach(connection, message)
                return
            elif operation == "resize":
                self._resize(connection, message)
                return
            elif operation == "shutdown":
                self._shut_down()
            else:
                answer = {"error": f"unknown operation {operation!r}"}
        except KeyError as error:
            answer = {"error": f"unknown container or missing field {error}"}
        except (OSError, ValueError, TypeError) as error:
            answer = {"error": f"{operation}: {error}"}
        connection.send(answer | {"to": message.get("n")})

    # --- containers ------------------------------------------------------------------------------------------

    def _start(self, spec: dict[str, Any]) -> None:
        pause_pid = self._pause_pid
        spec["pid_mode"] = self._pid_mode
        if spec.get("target") and self._pid_mode == "container":
            spec["pid_mode"], pause_pid = "pod", self._process_of(spec["target"])
        previous = [c for c in self._containers.values() if c.spec["name"] == spec["name"] and c.finished]
        for container in previous:
            del self._containers[container.id]
        container = Container(self.reactor, self._namespaces, spec, pause_pid, spec["pid_mode"])
        container.changed = lambda: self._tell_state(container)
        self._containers[container.id] = container

    def _process_of(self, name: str) -> int:
        """The first process of the container of that name, which runs. Raises ValueError."""
        for container in self._containers.values():
            if container.spec["name"] == name and container.pid and not container.finished:
                return container.pid
        raise ValueError(f'target container "{name}" is not running')

    def _tell_state(self, container: Container) -> None:
        for connection in list(self._connections):
            if connection.listening:
                connection.send({"event": "container", "container": container.state()})
            if connection.attached_to is container and container.finished:
                connection.send({"event": "exited", "exit_code": container.state()["exit_code"]})

    def _reap(self, _events: int) -> None:
        try:
            while os.read(self._wake_read, 512):
                continue
        except BlockingIOError:
            pass
        by_pid = {c.pid: c for c in self._containers.values()}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in by_pid:
                by_pid[pid].reaped(status)
            elif pid in self._exec:
                connection = self._exec.pop(pid)
                connection.process = 0
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
                connection.send({"event": "exited", "exit_code": code})

    # --- exec and attach -------------------------------------------------------------------------------------

    def _execute(self, connection: _Connection, message: Message) -> None:
        """Descriptors: stdin, stdout, stderr; with a tty only one, the socket that the terminal is sent over."""
        container = self._containers[message["id"]]
        if container.finished:
            raise ValueError("container not running")
        fds = connection.take_descriptors()
        tty = bool(message["tty"])
        if len(fds) != (1 if tty else 3):
            raise ValueError(f"{len(fds)} descriptors")
        process = container.process | {"argv": message["argv"]}
        failure_read, failure_write = os.pipe()

        def set_up() -> None:
            os.setsid()
            launch.join_cgroups(container.spec["cgroups"])
            launch.adjust_oom_score(container.spec["oom_score_adj"])
            if not tty:
                launch.use_streams(fds[0], fds[1], fds[2], process["uid"], process["gid"])
            launch.enter_mount_namespace(container_pid)
            if tty:
                launch.use_terminal(socket.socket(fileno=fds[0]), process["uid"])

        container_pid = container.pid
        host_processes = self._pid_mode == "host"
        # Inside the new namespace the container's process is number 1, but the mount namespace is looked up through
        # the shim's own /proc.
        pid = os.fork() if host_processes else self._namespaces.fork_into(container_pid)
        if pid == 0:
            launch.run_child(set_up, process, failure_write)
        os.close(failure_write)
        for fd in fds:
            os.close(fd)
        connection.process = pid
        self._exec[pid] = connection
        self.reactor.watch(failure_read, READ, lambda _events: self._exec_set_up(connection, failure_read))

    def _exec_set_up(self, connection: _Connection, pipe: int) -> None:
        failure = os.read(pipe, 4096).decode(errors="replace")
        self.reactor.forget(pipe)
        os.close(pipe)
        connection.send({"event": "failed", "error": failure} if failure else {"event": "started"})

    def _attach(self, connection: _Connection, message: Message) -> None:
        """Descriptors: those of stdin, stdout, stderr that `streams` names, in this order."""
        container = self._containers[message["id"]]
        fds = connection.take_descriptors()
        if len(fds) != len(message["streams"]):
            raise ValueError(f"{len(fds)} descriptors")
        given = dict(zip(message["streams"], fds, strict=True))
        container.attach(given.get("stdin", -1), given.get("stdout", -1), given.get("stderr", -1))
        connection.attached_to = container
        connection.send({"event": "started"})

    def _resize(self, connection: _Connection, message: Message) -> None:
        container = connection.attached_to
        if container is None or container.terminal < 0:
            return
        size = struct.pack("HHHH", message["rows"], message["columns"], 0, 0)
        fcntl.ioctl(container.terminal, termios.TIOCSWINSZ, size)

    def _shut_down(self) -> None:
        """Whatever still runs is killed (the kernel does it when this process ends)."""
        for container in self._containers.values():
            if not container.finished:
                container.signal(signal.SIGKILL)
        self._ended = True
