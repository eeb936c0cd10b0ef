"""An API server and a kubelet on loopback; the pods are local processes of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import ssl
import struct
import termios
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from aiohttp import web

from lateen.cluster.apiserver.server import running, tls_context
from lateen.cluster.layout import Layout
from lateen.cluster.node.cgroups import Cgroups
from lateen.cluster.node.runtime import LogFiles, Process
from lateen.cluster.node.serving.access import Access
from lateen.cluster.node.serving.server import application, server_context
from lateen.cluster.node.statistics import Statistics
from lateen.cluster.node.terminal_writer import terminal_writer
from lateen.cluster.objects import Obj
from lateen.cluster.pki.create import create_pki
from lateen.cluster.pki.paths import PkiPaths
from lateen.cluster.status import bad_request, internal_error, not_found


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The processes' own event loop: taking connections over is about its transports."""
    return {"uvloop": uvloop.new_event_loop}


class _TerminalReader(asyncio.StreamReader):
    """A terminal that its last process has left reads as an error."""

    def set_exception(self, exc: Exception) -> None:
        self.feed_eof()


class LocalProcess:
    """A real process as the runtime's `Process`."""

    def __init__(self, child: asyncio.subprocess.Process, master: int | None) -> None:
        self._child = child
        self._master = master
        self.stdin: asyncio.StreamWriter | None = child.stdin
        self.stdout: asyncio.StreamReader | None = child.stdout
        self.stderr: asyncio.StreamReader | None = child.stderr

    async def open_terminal(self) -> None:
        assert self._master is not None
        loop = asyncio.get_running_loop()
        self.stdout = _TerminalReader()
        source = os.fdopen(os.dup(self._master), "rb", 0)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self.stdout), source)
        self.stdin = terminal_writer(os.dup(self._master))

    async def resize(self, columns: int, rows: int) -> None:
        if self._master is not None:
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def wait(self) -> int:
        code = await self._child.wait()
        return code if code >= 0 else 128 - code

    async def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        await self._child.wait()
        if self._master is not None:
            os.close(self._master)
            if self.stdin is not None:
                self.stdin.close()


@dataclass
class LocalRuntime:
    logs_root: Path
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def pods(self) -> list[Obj]:
        return []

    def find_pod(self, namespace: str, pod: str, uid: str = "") -> Obj:
        if pod != "web":
            raise not_found("", "pods", pod)
        return {}

    def logs(self, namespace: str, pod: str, container: str, *, previous: bool = False, uid: str = "") -> LogFiles:
        if container == "waiting":
            raise bad_request('container "waiting" in pod "web" is waiting to start: ContainerCreating')
        path = self.logs_root / ("0.log" if previous else "1.log")
        return LogFiles(path, (path,), self.finished)

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
        if shutil.which(argv[0]) is None:
            raise internal_error(f'exec: "{argv[0]}": executable file not found in $PATH')
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        if tty:
            master, slave = os.openpty()
            child = await asyncio.create_subprocess_exec(
                "setsid", "--ctty", "--wait", *argv, stdin=slave, stdout=slave, stderr=slave
            )
            os.close(slave)
            process = LocalProcess(child, master)
            await process.open_terminal()
        else:
            child = await asyncio.create_subprocess_exec(
                *argv, stdin=pipe if stdin else null, stdout=pipe if stdout else null, stderr=pipe if stderr else null
            )
            process = LocalProcess(child, None)
        return _Noticed(process, self.closed)

    async def attach(self, namespace: str, pod: str, container: str, **streams: Any) -> Process:
        streams.pop("uid", None)
        return await self.exec(namespace, pod, container, ["cat"], **streams)

    def network_namespace(self, namespace: str, pod: str, uid: str = "") -> Path | None:
        return None


class _Noticed:
    """Tells when the process is closed."""

    def __init__(self, process: LocalProcess, closed: asyncio.Event) -> None:
        self._process = process
        self._closed = closed
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr
        self.resize, self.wait = process.resize, process.wait

    async def close(self) -> None:
        await self._process.close()
        self._closed.set()


@dataclass
class Cluster:
    url: str
    kubeconfig: Path
    runtime: LocalRuntime
    paths: PkiPaths
    store: Any

    def tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.paths.ca.certificate))
        pair = self.paths.client("admin")
        context.load_cert_chain(pair.certificate, pair.key)
        return context

    async def kubectl(self, *argv: str, stdin: bytes | None = None, program: str = "kubectl") -> Result:
        child = await self.start(*argv, program=program)
        out, err = await child.communicate(stdin)
        assert child.returncode is not None
        return Result(child.returncode, out.decode(), err.decode())

    async def start(self, *argv: str, program: str = "kubectl") -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.kubeconfig.parent)}
        return await asyncio.create_subprocess_exec(
            program, *argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


def _pod(name: str, node: str, containers: Sequence[str]) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"nodeName": node, "containers": [{"name": c, "image": "i", "stdin": True} for c in containers]},
        "status": {"phase": "Running", "podIP": "127.0.0.1"},
    }


async def _listen(runner: web.AppRunner, context: ssl.SSLContext) -> int:
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port: int = runner.addresses[0][1]
    return port


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    layout = Layout("streams", 63, tmp_path / "cluster")
    for directory in (layout.root, layout.run, layout.logs, layout.pki, layout.kubeconfigs):
        directory.mkdir(parents=True, exist_ok=True)
    create_pki(layout, 1)
    paths = PkiPaths(layout)
    runtime = LocalRuntime(tmp_path)
    access = Access(cast(Any, None), "n1")
    statistics = Statistics("n1", Cgroups("n1", "", "0::/"), list)
    kubelet = web.AppRunner(application(runtime, access, statistics), shutdown_timeout=0.1)
    kubelet_port = await _listen(kubelet, server_context(paths, 1))
    async with running(layout) as server:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", server.handler.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        port = await _listen(runner, tls_context(layout))
        store = server.services.store
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
        }
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "uid": "n"}, "status": status}
        await store.create(("", "nodes"), node)
        for pod in (_pod("web", "n1", ["app"]), _pod("two", "n1", ["app", "waiting"]), _pod("pending", "", ["app"])):
            await store.create(("", "pods"), pod)
        url = f"https://127.0.0.1:{port}"
        text = paths.kubeconfig("admin").read_text().replace(layout.api_url, url)
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(text)
        try:
            yield Cluster(url, kubeconfig, runtime, paths, store)
        finally:
            await runner.cleanup()
            await kubelet.cleanup()
