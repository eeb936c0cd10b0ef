from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from kubernetes import client, config
from kubernetes.stream import portforward, stream

from lateen.cluster.node.serving import spdy_session, websocket_streams

if TYPE_CHECKING:
    from conftest import Cluster

LOG = (
    "2026-01-01T00:00:01.000000001Z stdout F one\n"
    "2026-01-01T00:00:02.000000001Z stdout P tw\n"
    "2026-01-01T00:00:02.100000001Z stdout F o\n"
    "2026-01-01T00:00:03.000000001Z stderr F three\n"
)

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

# Today's kubectl speaks WebSocket, that of yesterday SPDY.
GENERATIONS = [
    pytest.param({}, id="websocket"),
    pytest.param({"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}, id="spdy"),
]


@pytest.fixture(params=GENERATIONS)
def generation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)


async def write_much(writer: asyncio.StreamWriter) -> None:
    """Raises TimeoutError once nothing is taken any more. The machine decides how much the sockets on the way hold."""
    for _ in range(500):
        writer.write(bytes(1_000_000))
        await asyncio.wait_for(writer.drain(), 0.5)


@pytest.mark.usefixtures("generation")
class TestExec:
    async def test_output_and_exit_code(self, cluster: Cluster) -> None:
        done = await cluster.kubectl("exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
        assert (done.code, done.out) == (7, "out\n")
        assert done.err == "err\ncommand terminated with exit code 7\n"

    async def test_stdin_until_its_end(self, cluster: Cluster) -> None:
        data = os.urandom(3_000_000).hex().encode()
        done = await cluster.kubectl("exec", "-i", "web", "--", "cat", stdin=data)
        assert (done.code, done.err) == (0, "")
        assert done.out == data.decode()

    async def test_a_program_that_does_not_exist(self, cluster: Cluster) -> None:
        done = await cluster.kubectl("exec", "web", "--", "no-such-program")
        assert done.code == 1
        assert 'exec: "no-such-program": executable file not found in $PATH' in done.err

    async def test_the_process_ends_with_its_user(self, cluster: Cluster) -> None:
        child = await cluster.start("exec", "-i", "web", "--", "sh", "-c", "echo started; exec sleep 1000")
        assert child.stdout is not None
        assert await child.stdout.readline() == b"started\n"
        child.kill()
        await child.communicate()
        await cluster.runtime.closed.wait()

    async def test_the_process_ends_with_its_user_though_it_reads_nothing(
        self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(websocket_streams, "PING_SECONDS", 0.05)
        monkeypatch.setattr(spdy_session, "PING_SECONDS", 0.05)
        child = await cluster.start("exec", "-i", "web", "--", "sh", "-c", "echo started; exec sleep 1000")
        assert child.stdin is not None
        assert child.stdout is not None
        assert await child.stdout.readline() == b"started\n"
        with pytest.raises(TimeoutError):
            await write_much(child.stdin)
        child.kill()
        await child.wait()
        await cluster.runtime.closed.wait()

    async def test_attach(self, cluster: Cluster) -> None:
        done = await cluster.kubectl("attach", "-i", "web", stdin=b"hello\n")
        assert done.out == "hello\n"

    async def test_a_pod_without_a_node(self, cluster: Cluster) -> None:
        done = await cluster.kubectl("exec", "pending", "--", "true")
        assert done.code == 1
        assert "pod pending does not have a host assigned" in done.err


@pytest.mark.usefixtures("generation")
async def test_terminal_with_size(cluster: Cluster) -> None:
    script = shutil.which("script")
    assert script
    command = (
        f"stty rows 33 cols 77; kubectl --kubeconfig {cluster.kubeconfig} exec -it web -- sh -c"
        " 'until stty size | grep \"33 77\"; do sleep 0.1; done'"
    )
    done = await cluster.kubectl("-qec", command, "/dev/null", program=script)
    assert "33 77" in done.out


@pytest.mark.usefixtures("generation")
async def test_port_forward(cluster: Cluster) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()
        writer.write(data)
        await writer.drain()
        writer.close()

    service = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = service.sockets[0].getsockname()[1]
    child = await cluster.start("port-forward", "--address", "127.0.0.1", "pod/web", f":{port}")
    try:
        assert child.stdout is not None
        line = (await child.stdout.readline()).decode()
        local = int(line.split(" -> ")[0].rpartition(":")[2])

        async def visit(data: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", local)
            writer.write(data)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            return answer

        sent = [os.urandom(200_000) for _ in range(5)]
        assert await asyncio.gather(*(visit(data) for data in sent)) == sent
    finally:
        child.terminate()
        await child.communicate()
        service.close()


class TestLog:
    async def test_whole_tail_since_timestamps_previous(self, cluster: Cluster) -> None:
        root = cluster.runtime.logs_root
        (root / "1.log").write_text(LOG)
        (root / "0.log").write_text("2026-01-01T00:00:00Z stdout F before\n")
        cluster.runtime.finished.set()
        assert (await cluster.kubectl("logs", "web")).out == "one\ntwo\nthree\n"
        assert (await cluster.kubectl("logs", "web", "--tail=1")).out == "three\n"
        assert (await cluster.kubectl("logs", "web", "-p")).out == "before\n"
        assert (await cluster.kubectl("logs", "web", "--since-time=2026-01-01T00:00:03Z")).out == "three\n"
        stamped = (await cluster.kubectl("logs", "web", "--timestamps")).out
        assert stamped.splitlines()[0] == "2026-01-01T00:00:01.000000001Z one"

    async def test_following_ends_with_the_container(self, cluster: Cluster) -> None:
        path = cluster.runtime.logs_root / "1.log"
        path.write_text(LOG)
        child = await cluster.start("logs", "-f", "web")
        assert child.stdout is not None
        assert [await child.stdout.readline() for _ in range(3)] == [b"one\n", b"two\n", b"three\n"]
        with path.open("a") as file:
            file.write("2026-01-01T00:00:04Z stdout F four\n")
        assert await child.stdout.readline() == b"four\n"
        cluster.runtime.finished.set()
        assert await child.stdout.read() == b""
        assert await child.wait() == 0

    async def test_errors_are_the_kubelets(self, cluster: Cluster) -> None:
        done = await cluster.kubectl("logs", "two", "-c", "waiting")
        message = 'container "waiting" in pod "web" is waiting to start: ContainerCreating'
        assert done.err == f"Error from server (BadRequest): {message}\n"
        done = await cluster.kubectl("logs", "two", "-c", "none")
        assert "container none is not valid for pod two" in done.err

    async def test_a_pod_without_a_node_has_an_empty_log(self, cluster: Cluster) -> None:
        done = await cluster.kubectl("logs", "pending")
        assert (done.code, done.out) == (0, "")

    async def test_an_unreachable_kubelet(self, cluster: Cluster) -> None:
        node = cluster.store.get(("", "nodes"), ("", "n1"))
        gone = {**node, "status": {**node["status"], "daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}}
        await cluster.store.update(("", "nodes"), gone, node["metadata"]["resourceVersion"])
        for command in (["logs", "web"], ["exec", "web", "--", "true"]):
            done = await cluster.kubectl(*command)
            assert done.code == 1
            assert "error dialing backend: dial tcp 127.0.0.1:1: " in done.err


class TestPythonClient:
    """The `kubernetes` package speaks WebSocket `v4.channel.k8s.io`."""

    async def test_exec(self, cluster: Cluster) -> None:
        def run() -> tuple[str, str, int]:
            api = client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))
            command = ["sh", "-c", "read line; echo got $line; echo bad >&2; exit 3"]
            options = {"stdin": True, "stdout": True, "stderr": True, "tty": False, "_preload_content": False}
            session = stream(api.connect_get_namespaced_pod_exec, "web", "default", command=command, **options)
            session.write_stdin("hello\n")
            session.run_forever(timeout=20)
            return session.read_stdout(), session.read_stderr(), session.returncode

        assert await asyncio.to_thread(run) == ("got hello\n", "bad\n", 3)

    async def test_port_forward(self, cluster: Cluster) -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello " + await reader.readline())
            await writer.drain()
            writer.close()

        service = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = service.sockets[0].getsockname()[1]

        def run() -> bytes:
            api = client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))
            forward = portforward(api.connect_get_namespaced_pod_portforward, "web", "default", ports=str(port))
            connection = forward.socket(port)
            connection.setblocking(True)
            connection.sendall(b"you\n")
            return bytes(connection.recv(100))

        assert await asyncio.to_thread(run) == b"hello you\n"
        service.close()
