"""xDS over TLS: who is let in, as whom, and what becomes of streams at the end."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import struct_pb2

from lateen.testing.istiod import IstiodProcess

CLUSTERS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
"""


class Pair(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def issue(name: x509.GeneralName | None, issuer: Pair | None = None) -> Pair:
    """A certificate for a name; without an issuer, of an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority" if issuer is None else "leaf")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if name is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
    return Pair(builder.sign(key if issuer is None else issuer.key, hashes.SHA256()), key)


ROOT = issue(None)


def workload(namespace: str, issuer: Pair = ROOT) -> Pair:
    return issue(x509.UniformResourceIdentifier(f"spiffe://cluster.local/ns/{namespace}/sa/default"), issuer)


@pytest.fixture(scope="module")
def istiod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IstiodProcess]:
    directory = tmp_path_factory.mktemp("mesh")
    (directory / "config").mkdir()
    (directory / "config" / "a.yaml").write_text(MANIFESTS)
    with IstiodProcess("--config-dir", str(directory / "config"), *certificates(directory)) as found:
        found.until_ready()
        yield found


def certificates(directory: Path) -> list[str]:
    server = issue(x509.IPAddress(ipaddress.ip_address("127.0.0.1")), ROOT)
    for name, data in (("cert", server.pem), ("key", server.key_pem), ("roots", ROOT.pem)):
        (directory / name).write_bytes(data)
    return [part for name in ("cert", "key", "roots") for part in (f"--tls-{name}", str(directory / name))]


def channel(address: str, client: Pair | None) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(
        ROOT.pem, client.key_pem if client else None, client.pem if client else None
    )
    return grpc.aio.secure_channel(address, credentials)


def first_request(namespace: str) -> bytes:
    request = discovery_pb2.DeltaDiscoveryRequest(type_url=CLUSTERS)
    request.node.id = f"sidecar~10.0.0.1~web.{namespace}~{namespace}.svc.cluster.local"
    request.node.metadata.CopyFrom(struct_pb2.Struct())
    request.node.metadata["NAMESPACE"] = namespace
    found: bytes = request.SerializeToString()
    return found


async def clusters(address: str, client: Pair | None, namespace: str = "default") -> set[str]:
    """Names of the clusters that a proxy is sent first."""
    async with asyncio.timeout(60), channel(address, client) as connected:
        call = connected.stream_stream(METHOD)()
        await call.write(first_request(namespace))
        answer: Any = await call.read()
        if answer is grpc.aio.EOF:
            raise AssertionError(await call.details())
        call.cancel()
        return {resource.name for resource in discovery_pb2.DeltaDiscoveryResponse.FromString(answer).resources}


async def test_a_workload_of_the_mesh_is_served(istiod: IstiodProcess) -> None:
    found = await clusters(istiod.addresses["secure_xds"], workload("default"))
    assert "outbound|9080||reviews.default.svc.cluster.local" in found


@pytest.mark.parametrize(
    ("client", "code"),
    [(None, grpc.StatusCode.UNAUTHENTICATED), (workload("default", issue(None)), grpc.StatusCode.UNAVAILABLE)],
    ids=["no certificate", "another root"],
)
async def test_whoever_proves_nothing_is_not_let_in(
    istiod: IstiodProcess, client: Pair | None, code: grpc.StatusCode
) -> None:
    # Nothing is said: who writes while a stream is ended may not get to see the status.
    async with asyncio.timeout(60), channel(istiod.addresses["secure_xds"], client) as connected:
        assert await connected.stream_stream(METHOD)().code() == code


async def test_nobody_is_served_as_somebody_else(istiod: IstiodProcess) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await clusters(istiod.addresses["secure_xds"], workload("other"), "default")
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_streams_end_soon_after_sigterm(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    with IstiodProcess(
        "--config-dir",
        str(tmp_path / "config"),
        *certificates(tmp_path),
        environment={"LATEEN_SHUTDOWN_SECONDS": "0.2"},
    ) as istiod:
        address = istiod.until_ready()["secure_xds"]
        async with asyncio.timeout(60), channel(address, workload("default")) as connected:
            call = connected.stream_stream(METHOD)()
            await call.write(first_request("default"))
            assert await call.read() is not grpc.aio.EOF
            assert await asyncio.to_thread(istiod.terminate) == 0
            # Not as if all had been said: the proxy is to connect again.
            with pytest.raises(grpc.aio.AioRpcError):
                await until_ended(call)


def test_the_front_dies_with_a_control_plane_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    arguments = ["--config-dir", str(tmp_path / "config"), *certificates(tmp_path)]
    with IstiodProcess(*arguments) as istiod:
        address = istiod.until_ready()["secure_xds"]
        istiod.kill()
        deadline = time.monotonic() + 60
        while connects(address):
            assert time.monotonic() < deadline, "it still listens"
            time.sleep(0.02)


def test_an_address_that_is_taken_is_one_line_and_an_exit_status(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "lateen.cli.main", "istiod", "--config-dir", str(tmp_path / "config")]
        command += [*certificates(tmp_path), "--secure-xds-address", f"127.0.0.1:{taken.getsockname()[1]}"]
        for option in ("--http-address", "--xds-address", "--monitoring-address"):
            command += [option, "127.0.0.1:0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("Error: cannot serve TLS at 127.0.0.1:")
    assert "Traceback" not in done.stderr


def connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=60).close()
    except OSError:
        return False
    return True


async def until_ended(call: Any) -> None:
    """Reads all there is. Raises AioRpcError unless the stream ended in order."""
    while await call.read() is not grpc.aio.EOF:
        pass
