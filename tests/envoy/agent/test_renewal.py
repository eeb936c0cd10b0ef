"""Certificates and roots change under load; nobody notices."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from lateen.testing.certificates import Authority


def _serial(agent):
    return agent.certificate().serial_number


async def test_certificates_are_renewed_before_their_end_and_no_request_fails(pod):
    async with pod(environment={"SECRET_GRACE_PERIOD_RATIO_JITTER": "0"}) as running:
        running.control_plane.lifetime = timedelta(seconds=10)
        await running.ready()
        agent = running.agent
        seen = {_serial(agent)}
        async with running.load() as load, asyncio.timeout(100):
            while len(seen) < 4:
                await asyncio.sleep(0.05)
                seen.add(_serial(agent))
                left = agent.certificate().not_valid_after_utc
                assert left > agent.certificate().not_valid_before_utc
        load.check()
        assert load.good > 50
        assert running.control_plane.shown[1:] == [True] * (len(running.control_plane.shown) - 1), "by certificate, too"


async def test_a_short_life_that_began_long_ago_is_no_reason_to_renew_at_once(pod):
    async with pod(environment={"SECRET_GRACE_PERIOD_RATIO_JITTER": "0"}) as running:
        running.control_plane.lifetime = timedelta(seconds=8)
        running.control_plane.head_start = timedelta(minutes=2)
        await running.ready()
        first = running.agent.certificate().not_valid_after_utc
        await running.control_plane.until_asked(2)
        await running.until(lambda: running.agent.certificate().not_valid_after_utc != first)
        assert running.agent.certificate().not_valid_after_utc - first >= timedelta(seconds=3)


async def test_the_last_good_certificate_stays_when_there_is_no_new_one(pod):
    async with pod() as running:
        running.control_plane.lifetime = timedelta(seconds=20)
        await running.ready()
        agent = running.agent
        first = _serial(agent)
        running.control_plane.refusal = (503, {})
        async with running.load() as load:
            await running.control_plane.until_asked(4)
            assert _serial(agent) == first
            assert "is not renewed yet, the one in force stays" in agent.log()
            running.control_plane.refusal = None
            await running.until(lambda: _serial(agent) != first)
        load.check()


async def test_while_there_is_no_new_certificate_roots_are_still_trusted_at_once_and_an_expired_one_makes_unready(pod):
    async with pod(environment={"SECRET_GRACE_PERIOD_RATIO_JITTER": "0"}) as running:
        agent, control_plane = running.agent, running.control_plane
        control_plane.lifetime = timedelta(seconds=10)
        await running.ready()
        control_plane.refusal = (503, {})
        await running.until(lambda: "is not renewed yet" in agent.log())
        control_plane.rotate_root()
        agent.write("var/run/secrets/istio/root-cert.pem", control_plane.roots_pem())
        await running.until(lambda: len(agent.roots()) == 2)
        await running.until(lambda: "no certificate" in agent.get(agent.status_port, "/healthz/ready")[1])
        control_plane.refusal = None
        await running.ready()


async def test_a_renewal_needs_no_token_where_the_certificate_is_good(pod):
    async with pod(environment={"SECRET_GRACE_PERIOD_RATIO_JITTER": "0"}) as running:
        running.control_plane.lifetime = timedelta(seconds=12)
        await running.ready()
        agent = running.agent
        first = _serial(agent)
        (agent.root / "var/run/secrets/tokens/istio-token").unlink()
        await running.until(lambda: _serial(agent) != first)
        assert running.control_plane.tokens[-1] == ""
        assert running.control_plane.shown[-1]


async def test_a_new_root_is_trusted_at_once_and_certificates_follow(pod):
    async with pod() as running:
        await running.ready()
        agent, control_plane = running.agent, running.control_plane
        first = _serial(agent)
        control_plane.rotate_root()
        async with running.load() as load:
            agent.write("var/run/secrets/istio/root-cert.pem", control_plane.roots_pem())
            await running.until(lambda: len(agent.roots()) == 2)
            assert {_print(root) for root in agent.roots()} == {
                _print(root.certificate) for root in control_plane.roots
            }
            await running.until(lambda: _serial(agent) != first)
        load.check()
        assert agent.certificate().issuer == control_plane.root.certificate.subject


async def test_roots_of_an_answer_are_trusted_as_well_as_those_that_are_mounted(pod):
    async with pod(environment={"SECRET_GRACE_PERIOD_RATIO_JITTER": "0"}) as running:
        running.control_plane.lifetime = timedelta(seconds=6)
        await running.ready()
        running.control_plane.rotate_root()
        await running.until(lambda: len(running.agent.roots()) == 2)


async def test_a_certificate_of_before_that_the_mesh_does_not_know_any_more_is_replaced(pod):
    """A server that asks for certificates refuses a connection with it; then it is tried with the token alone."""

    def leave(agent):
        agent.sds.mkdir(parents=True)
        found = Authority("forgotten").workload(agent.root / "made", "spiffe://cluster.local/ns/default/sa/app")
        (agent.sds / "default.yaml").write_text(Path(found.workload).read_text())

    async with pod(before=leave) as running:
        await running.ready()
        assert "it is of CN=forgotten, which is no root" in running.agent.log()
        assert running.agent.certificate().issuer == running.control_plane.root.certificate.subject
        assert running.control_plane.tokens == ["token"]
        assert running.control_plane.shown == [False]


def _print(certificate):
    return certificate.fingerprint(hashes.SHA256())
