"""gRPC applications without a proxy, in processes of their own, and a control plane for them within the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from lateen.testing.certificates import Authority
from lateen.testing.mesh import Mesh
from lateen.testing.served_mesh import served
from lateen.translate.grpc.names import SERVER_PREFIX
from lateen.xds.rejection import Rejection
from lateen.xds.server import XdsServer

_PATIENCE = 60.0


def bootstrap(
    port: int,
    node: str,
    *,
    identity: tuple[Authority, str, Path] | None = None,
    labels: Mapping[str, str] | None = None,
    namespace: str,
) -> dict[str, Any]:
    """What tells a gRPC library of the control plane, as Istio's agent writes it. `identity`: who issues certificates,
    for which SPIFFE ID, and where to put them."""
    metadata: dict[str, Any] = {"GENERATOR": "grpc", "NAMESPACE": namespace, "LABELS": dict(labels or {})}
    found: dict[str, Any] = {
        "xds_servers": [
            {
                "server_uri": f"127.0.0.1:{port}",
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3"],
            }
        ],
        "node": {"id": node, "metadata": metadata},
        "server_listener_resource_name_template": f"{SERVER_PREFIX}%s",
    }
    if identity is None:
        metadata["LATEEN_CERTIFICATES"] = "none"
        return found
    authority, name, directory = identity
    directory.mkdir(parents=True, exist_ok=True)
    pair = authority.issue(name)
    files = {"cert-chain.pem": pair.certificate, "key.pem": pair.key, "root-cert.pem": authority.root}
    for file, text in files.items():
        (directory / file).write_text(text)
    config = {
        "certificate_file": str(directory / "cert-chain.pem"),
        "private_key_file": str(directory / "key.pem"),
        "ca_certificate_file": str(directory / "root-cert.pem"),
        "refresh_interval": "900s",
    }
    found["certificate_providers"] = {"default": {"plugin_name": "file_watcher", "config": config}}
    return found


class Application:
    """A running `lateen.testing.grpc_application`."""

    def __init__(self, process: asyncio.subprocess.Process, *, secure: bool) -> None:
        self._process = process
        self._secure = secure
        self._turn = asyncio.Lock()

    async def serve(self, address: str, word: str, *, by_xds: bool = True) -> None:
        """Starts a server that says a word. One by xDS listens when the control plane has said how."""
        await self._ask({"serve": address, "word": word, "by_xds": by_xds})

    async def call(
        self,
        target: str,
        *,
        count: int = 1,
        metadata: Mapping[str, str] | None = None,
        wish: Mapping[str, Any] | None = None,
        timeout: float = _PATIENCE,
        waits: bool = False,
        **rest: str,
    ) -> list[str]:
        """What each of several calls was answered: a word, or `CODE: DETAILS`. `waits` for a server to be there."""
        command: dict[str, Any] = {"count": count, "metadata": dict(metadata or {}), "wish": dict(wish or {}), **rest}
        command |= {"call": target, "secure": self._secure, "timeout": timeout, "waits": waits}
        answers: list[str] = await self._ask(command)
        return answers

    async def until(self, target: str, *wanted: str, **rest: Any) -> None:
        """Calls until every call is answered by one of these."""
        deadline = time.monotonic() + _PATIENCE
        while set(answers := await self.call(target, **rest)) != set(wanted):
            assert time.monotonic() < deadline, f"wanted {wanted}, still {answers}"
            await asyncio.sleep(0.02)

    async def until_one(self, target: str, beginning: str, **rest: Any) -> None:
        """Calls until the answer begins so, whatever fails meanwhile."""
        deadline = time.monotonic() + _PATIENCE
        while not (answer := (await self.call(target, **rest))[0]).startswith(beginning):
            assert time.monotonic() < deadline, f"wanted {beginning}, still {answer}"
            await asyncio.sleep(0.02)

    async def _ask(self, command: Mapping[str, Any]) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        async with self._turn:
            stdin.write(f"{json.dumps(command)}\n".encode())
            await stdin.drain()
            line = await stdout.readline()
        assert line, "the application has ended"
        return json.loads(line)


class Proxyless:
    """A mesh, its control plane, and applications that are configured by it."""

    def __init__(self, mesh: Mesh, server: XdsServer, port: int, rejections: list[Rejection]) -> None:
        self.mesh = mesh
        self.server = server
        self.port = port
        self.rejections = rejections

    def has_settled(self) -> bool:
        """Somebody has asked, and all that was sent has been acknowledged or rejected."""
        conversations = [each for one in self.server.connections() for each in one.session.conversations()]
        return bool(conversations) and not any(each.outstanding for each in conversations)

    def apply(self, *resources: str | Mapping[str, Any]) -> None:
        """Changes the mesh."""
        self.mesh.apply(*resources)
        self.server.push.changed()

    def delete(self, kind: str, namespace: str, name: str) -> None:
        self.mesh.delete(kind, namespace, name)
        self.server.push.changed()

    @contextlib.asynccontextmanager
    async def application(
        self,
        id: str = "client.shop",
        *,
        address: str = "127.0.0.1",
        labels: Mapping[str, str] | None = None,
        identity: tuple[Authority, str, Path] | None = None,
    ) -> AsyncIterator[Application]:
        """An application; with an identity one that uses what xDS says of TLS."""
        namespace = id.rpartition(".")[2]
        node = f"sidecar~{address}~{id}~{namespace}.svc.cluster.local"
        config = bootstrap(self.port, node, identity=identity, labels=labels, namespace=namespace)
        environment = {**os.environ, "GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(config)}
        environment.pop("GRPC_XDS_BOOTSTRAP", None)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "lateen.testing.grpc_application",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
        )
        try:
            yield Application(process, secure=identity is not None)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def proxyless(mesh: Mesh) -> AsyncIterator[Proxyless]:
    """Serves a mesh over plain text."""
    rejections: list[Rejection] = []
    async with served(mesh, rejections.append) as found:
        yield Proxyless(mesh, found.server, found.port, rejections)
