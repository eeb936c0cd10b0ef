"""An agent without an Envoy: the application is its own proxy (proxyless gRPC), and reads what the agent writes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lateen.testing.agent_control_plane import AgentControlPlane
from lateen.testing.agent_process import AgentProcess

_CONTROL_PLANE = "istiod.istio-system.svc:15012"


class Proxyless(NamedTuple):
    agent: AgentProcess
    control_plane: AgentControlPlane

    @property
    def output(self) -> Path:
        return self.agent.root / "data"

    async def until(self, holds: Any) -> None:
        await asyncio.to_thread(self.agent.until, holds)

    async def get(self, port: int, path: str, method: str = "GET") -> tuple[int, str]:
        return await asyncio.to_thread(self.agent.get, port, path, method)

    def certificate(self) -> x509.Certificate:
        """The one that applications read now, which is of the key beside it."""
        version = (self.output / "..data").resolve()
        found = x509.load_pem_x509_certificate((version / "cert-chain.pem").read_bytes())
        key = serialization.load_pem_private_key((version / "key.pem").read_bytes(), None)
        assert key.public_key() == found.public_key()
        return found


@contextlib.asynccontextmanager
async def _proxyless(lifetime: timedelta = timedelta(hours=1), **environment: str) -> AsyncIterator[Proxyless]:
    control_plane = AgentControlPlane()
    control_plane.lifetime = lifetime
    async with control_plane:
        variables: Mapping[str, str] = {
            "DISABLE_ENVOY": "true",
            "ISTIO_META_GENERATOR": "grpc",
            "OUTPUT_CERTS": "./data",
            "ISTIOD_SAN": "",
            "KUBERNETES_SERVICE_HOST": "10.96.0.1",
            **environment,
        }
        agent = AgentProcess(
            ca_address=f"localhost:{control_plane.certificate_port}", discovery_address=_CONTROL_PLANE,
            roots=control_plane.roots_pem(), environment=variables,
        )  # fmt: skip
        (agent.root / "data").mkdir()
        await asyncio.to_thread(agent.__enter__)
        try:
            yield Proxyless(agent, control_plane)
        except BaseException as error:
            await asyncio.to_thread(agent.__exit__, type(error), error, None)
            raise
        else:
            await asyncio.to_thread(agent.__exit__, None, None, None)


async def test_it_is_ready_with_a_certificate_and_a_bootstrap_for_the_application() -> None:
    async with _proxyless() as running:
        agent = running.agent
        await running.until(agent.is_ready)
        assert agent.envoy == 0
        for name in ("cert-chain.pem", "key.pem", "root-cert.pem"):
            assert stat.S_IMODE((running.output / name).stat().st_mode) == 0o644, "others than the agent read it"
        running.certificate()
        assert (running.output / "root-cert.pem").read_text() == running.control_plane.roots_pem()
        file = agent.root / "etc/istio/proxy/grpc-bootstrap.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        bootstrap = json.loads(file.read_text())
        (server,) = bootstrap["xds_servers"]
        assert server["server_uri"] == f"dns:///{_CONTROL_PLANE}"
        files = bootstrap["certificate_providers"]["default"]["config"]
        assert server["channel_creds"] == [{"type": "tls", "config": files}]
        assert all(Path(files[f"{what}_file"]).exists() for what in ("certificate", "private_key", "ca_certificate"))
        assert bootstrap["node"]["id"] == "sidecar~10.1.2.3~app-1.default~default.svc.cluster.local"
        assert bootstrap["node"]["metadata"]["GENERATOR"] == "grpc"


async def test_what_is_asked_of_an_agent_is_answered_without_envoy() -> None:
    async with _proxyless() as running:
        agent = running.agent
        await running.until(agent.is_ready)
        assert (await running.get(agent.status_port, "/healthz/ready"))[0] == 200
        assert (await running.get(agent.health_port, "/stats/prometheus"))[0] == 404
        status, text = await running.get(agent.status_port, "/stats/prometheus")
        assert status == 200
        assert "istio_agent_cert_expiry_seconds" in text
        assert 'istio_agent_scrape_failures_total{type="envoy"} 0' in text
        status, text = await running.get(agent.status_port, "/stats/envoy/prometheus")
        assert (status, text) == (404, "there is no Envoy here: the application is its own proxy\n")


async def test_it_ends_at_once_and_is_not_ready_before_that_when_told_to_drain() -> None:
    async with _proxyless() as running:
        agent = running.agent
        await running.until(agent.is_ready)
        assert (await running.get(agent.status_port, "/drain", "POST"))[0] == 200
        status, text = await running.get(agent.health_port, "/healthz/ready")
        assert (status, text.splitlines()[0]) == (503, "draining: connections are being ended")
        before = running.certificate()
        agent.signal(signal.SIGTERM)
        assert await asyncio.to_thread(agent.ended) == 0
        assert running.certificate() == before, "the application may need it for its own end"


async def test_another_agent_goes_on_with_the_certificate() -> None:
    async with _proxyless() as running:
        agent = running.agent
        await running.until(agent.is_ready)
        first, before = agent.agent, running.certificate()
        os.kill(first, signal.SIGKILL)
        await running.until(lambda: agent.agent != first and agent.is_ready())
        assert running.certificate() == before
        assert len(running.control_plane.tokens) == 1


async def test_renewed_certificates_and_keys_change_together() -> None:
    async with _proxyless(timedelta(seconds=4)) as running:
        await running.until(running.agent.is_ready)
        seen = {running.certificate().serial_number}
        while len(seen) < 3:
            with contextlib.suppress(FileNotFoundError):  # the version that was looked at is gone already
                seen.add(running.certificate().serial_number)
            await asyncio.sleep(0)
        names = {path.name for path in running.output.iterdir()}
        assert {"cert-chain.pem", "key.pem", "root-cert.pem", "..data"} <= names


async def test_without_certificates_it_is_in_plaintext() -> None:
    config = json.dumps({"discoveryAddress": "istiod.istio-system.svc:15010", "controlPlaneAuthPolicy": "NONE"})
    async with _proxyless(OUTPUT_CERTS="", PROXY_CONFIG=config) as running:
        await running.until(lambda: "the application may ask" in running.agent.log())
        bootstrap = json.loads((running.agent.root / "etc/istio/proxy/grpc-bootstrap.json").read_text())
        assert bootstrap["xds_servers"][0]["channel_creds"] == [{"type": "insecure"}]
        assert "certificate_providers" not in bootstrap
        assert bootstrap["node"]["metadata"]["LATEEN_CERTIFICATES"] == "none"
