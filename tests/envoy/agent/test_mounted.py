"""Certificates that are mounted, certificates that others read, and proxies without any."""

from __future__ import annotations

import asyncio
import json
import ssl
import stat
from datetime import UTC, datetime, timedelta

from cryptography import x509

from lateen.testing.backends import http_backend
from lateen.testing.certificates import Authority

_DIRECTORY = "var/run/secrets/workload-spiffe-credentials"


def _mount(agent, authority: Authority, **validity) -> x509.Certificate:
    pair = authority.issue("spiffe://cluster.local/ns/default/sa/app", "localhost", **validity)
    agent.write(f"{_DIRECTORY}/root-cert.pem", authority.root)
    agent.write(f"{_DIRECTORY}/key.pem", pair.key)
    agent.write(f"{_DIRECTORY}/cert-chain.pem", pair.certificate)
    return x509.load_pem_x509_certificate(pair.certificate.encode())


async def test_mounted_certificates_are_used_and_watched(pod):
    authority = Authority()
    mounted = []
    async with pod(before=lambda agent: mounted.append(_mount(agent, authority))) as running:
        agent = running.agent
        await running.until(lambda: agent.envoy and agent.certificate() == mounted[0])
        assert running.control_plane.tokens == []
        assert len(agent.roots()) == 2, "its own, and those of the mesh"
        second = _mount(agent, authority)
        await running.until(lambda: agent.certificate() == second)


async def test_a_key_that_does_not_belong_to_the_certificate_is_not_used(pod):
    authority = Authority()
    mounted = []
    async with pod(before=lambda agent: mounted.append(_mount(agent, authority))) as running:
        agent = running.agent
        await running.until(lambda: agent.envoy and agent.certificate() == mounted[0])
        agent.write(f"{_DIRECTORY}/key.pem", authority.issue("other").key)
        await running.until(lambda: "the certificate is of another key" in agent.log())
        assert agent.certificate() == mounted[0]


async def test_a_mounted_certificate_that_has_expired_is_told_of_until_there_is_another(pod):
    authority = Authority()
    async with pod(
        before=lambda agent: _mount(agent, authority, end=datetime.now(UTC) - timedelta(minutes=1))
    ) as running:
        agent = running.agent
        await running.until(lambda: "waiting for a certificate: it has expired at" in agent.log())
        assert agent.envoy == 0
        _mount(agent, authority)
        await running.until(lambda: agent.envoy)


async def test_others_may_read_what_the_proxy_has(pod):
    async with pod(
        environment={"OUTPUT_CERTS": "certs"}, before=lambda agent: (agent.root / "certs").mkdir()
    ) as running:
        await running.ready()
        directory = running.agent.root / "certs"
        chain = x509.load_pem_x509_certificate((directory / "cert-chain.pem").read_bytes())
        assert chain == running.agent.certificate()
        assert stat.S_IMODE((directory / "key.pem").stat().st_mode) == 0o600
        assert (directory / "root-cert.pem").read_text()


async def test_a_certificate_that_was_there_before_is_used_again(pod):
    """A container that starts again has the pod's files still."""
    async with pod() as running:
        await running.ready()
        first = running.agent
        await asyncio.to_thread(first.restart)
        await running.ready()
        assert len(running.control_plane.tokens) == 1


async def test_the_log_may_be_json(pod):
    async with pod(arguments=("--log_as_json",)) as running:
        await running.ready()
        lines = [json.loads(line) for line in running.agent.log().splitlines()]
        assert any("Envoy started" in line["msg"] and line["level"] == "info" for line in lines)


async def test_an_application_that_is_probed_by_https(pod, tmp_path):
    """Then the agent has TLS, which it does without otherwise."""
    pair = Authority().issue("localhost")
    (tmp_path / "pair.pem").write_text(pair.certificate + pair.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "pair.pem")
    async with http_backend("app", tls=context) as port:
        probers = {"/app-health/app/readyz": {"httpGet": {"path": "/", "port": port, "scheme": "HTTPS"}}}
        environment = {"ISTIO_KUBE_APP_PROBERS": json.dumps(probers), "INSTANCE_IP": "127.0.0.1"}
        async with pod(environment=environment) as running:
            await running.ready()
            agent = running.agent
            status, _ = await asyncio.to_thread(agent.get, agent.status_port, "/app-health/app/readyz")
            assert status == 200
