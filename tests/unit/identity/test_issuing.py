from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest
from cryptography import x509

from lateen.api.kubernetes.pod import Pod
from lateen.identity.caller import BoundPod, Caller, CannotVerify, Evidence, Refused
from lateen.identity.current import CurrentAuthority
from lateen.identity.facts import WorkloadFacts, facts_in
from lateen.identity.issuing import CertificateRequest, Issuer, NotIssued, Reason
from lateen.identity.limits import IssueLimits
from lateen.identity.plugged import Loaded
from lateen.identity.self_signed import self_signed
from lateen.identity.signing import Validity
from lateen.identity.throttled import TooManyRefusals
from lateen.model.identity import PeerIdentity
from lateen.testing.authorities import ec_key, signing_request, verified_names

NOW = datetime.now(UTC)
WEB = PeerIdentity("shop", "web", "cluster.local")
POD = Caller(WEB, BoundPod("web-1", "u-1"))
REQUEST = CertificateRequest(signing_request(ec_key()))


class Desk:
    """Believes everyone to be `caller`, and knows one pod."""

    def __init__(self, caller: Caller | Exception = POD, **options) -> None:
        self.caller = caller
        metadata = {"name": "web-1", "namespace": "shop", "uid": "u-1", "labels": {"app": "web", "version": "v1"}}
        self.pod = msgspec.convert({"metadata": metadata, "spec": {"serviceAccountName": "web"}}, Pod)
        self.current = CurrentAuthority()
        self.current.offer(Loaded(self_signed(NOW)), "test")
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.issuer = Issuer(self.current, self, self, cluster="Kubernetes", now=lambda: NOW, **options)

    async def authenticate(self, evidence: Evidence) -> Caller:
        self.entered.set()
        await self.gate.wait()
        if isinstance(self.caller, Exception):
            raise self.caller
        return self.caller

    async def get(self, namespace: str, name: str) -> Pod | None:
        return self.pod if (namespace, name) == ("shop", "web-1") else None

    async def reason(self, request: CertificateRequest = REQUEST) -> Reason:
        with pytest.raises(NotIssued) as caught:
            await self.issuer.issue(Evidence(), request)
        return caught.value.reason


def facts(certificate: str) -> WorkloadFacts:
    return facts_in(x509.load_pem_x509_certificate(certificate.encode()).subject)


async def test_a_pod_gets_a_certificate_with_its_identity_and_facts() -> None:
    issued = await Desk().issuer.issue(Evidence(), REQUEST)
    uris, _ = verified_names((issued.certificate,), issued.roots)
    assert uris == ["spiffe://cluster.local/ns/shop/sa/web"]
    assert facts(issued.certificate) == WorkloadFacts("web-1", "shop", "web", "v1", "Kubernetes", "web", "v1")


async def test_facts_of_a_renewal_by_certificate() -> None:
    known = WorkloadFacts("web-v1", "bank", "web", "v1", "Kubernetes")
    issued = await Desk(Caller(WEB, facts=known)).issuer.issue(Evidence(), REQUEST)
    assert facts(issued.certificate) == msgspec.structs.replace(known, namespace="shop")


async def test_without_a_pod_only_the_namespace_and_cluster_are_known() -> None:
    issued = await Desk(Caller(WEB)).issuer.issue(Evidence(), REQUEST)
    assert facts(issued.certificate) == WorkloadFacts(namespace="shop", cluster="Kubernetes")


@pytest.mark.parametrize(
    "caller",
    [
        Caller(WEB, BoundPod("web-1", "an earlier one")),
        Caller(WEB, BoundPod("web-2", "u-1")),
        Caller(WEB._replace(service_account="other"), BoundPod("web-1", "u-1")),
    ],
)
async def test_a_pod_that_is_not_the_tokens(caller: Caller) -> None:
    assert await Desk(caller).reason() is Reason.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Refused("no"), Reason.UNAUTHENTICATED),
        (Refused("no", denied=True), Reason.PERMISSION_DENIED),
        (CannotVerify("later"), Reason.UNAVAILABLE),
        (RuntimeError("bug"), Reason.INTERNAL),
    ],
)
async def test_why_there_is_none(failure: Exception, reason: Reason) -> None:
    desk = Desk(failure)
    assert await desk.reason() is reason
    assert desk.issuer.outcomes == {reason.value: 1}


async def test_what_went_wrong_inside_is_not_told() -> None:
    with pytest.raises(NotIssued, match=r"^internal error$"):
        await Desk(RuntimeError("path of a secret")).issuer.issue(Evidence(), REQUEST)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (CertificateRequest("nonsense"), Reason.INVALID_ARGUMENT),
        (CertificateRequest(REQUEST.csr, seconds=91 * 86400), Reason.INVALID_ARGUMENT),
        (CertificateRequest(REQUEST.csr, seconds=2**63 - 1), Reason.INVALID_ARGUMENT),
        (CertificateRequest(REQUEST.csr, signer="example.com/ours"), Reason.INVALID_ARGUMENT),
        (CertificateRequest(REQUEST.csr, impersonated=str(WEB)), Reason.PERMISSION_DENIED),
    ],
)
async def test_requests_that_cannot_be_met(request_: CertificateRequest, reason: Reason) -> None:
    assert await Desk().reason(request_) is reason


async def test_a_stranger_learns_nothing_of_its_request() -> None:
    assert await Desk(Refused("no")).reason(CertificateRequest("nonsense")) is Reason.UNAUTHENTICATED


@pytest.mark.parametrize("seconds", [-(2**63), -1, 0])
async def test_nothing_asked_for_is_the_default(seconds: int) -> None:
    desk = Desk(validity=Validity())
    issued = await desk.issuer.issue(Evidence(), CertificateRequest(REQUEST.csr, seconds))
    assert (issued.not_after - NOW.replace(microsecond=0)).total_seconds() == 86400


async def test_before_there_is_an_authority() -> None:
    desk = Desk()
    desk.current.authority = None
    assert await desk.reason() is Reason.UNAVAILABLE


async def test_an_expired_authority() -> None:
    desk = Desk()
    desk.current.authority = self_signed(datetime(2010, 1, 1, tzinfo=UTC))
    assert await desk.reason() is Reason.INTERNAL


async def test_one_pod_does_not_ask_all_the_time_and_hinders_nobody() -> None:
    desk = Desk(limits=IssueLimits(pod_burst=3, pod_per_second=0.001))
    for _ in range(3):
        await desk.issuer.issue(Evidence(), REQUEST)
    with pytest.raises(NotIssued, match="too often") as caught:
        await desk.issuer.issue(Evidence(), REQUEST)
    assert caught.value.reason is Reason.RESOURCE_EXHAUSTED
    assert caught.value.retry_after > 1
    desk.caller = Caller(WEB)
    await desk.issuer.issue(Evidence(), REQUEST)


async def test_who_is_not_listened_to_is_told_when_to_come_again() -> None:
    with pytest.raises(NotIssued, match="too many calls") as caught:
        await Desk(TooManyRefusals(7.0)).issuer.issue(Evidence(), REQUEST)
    assert (caught.value.reason, caught.value.retry_after) == (Reason.RESOURCE_EXHAUSTED, 7.0)


async def test_no_more_at_once_than_can_be_dealt_with() -> None:
    desk = Desk(limits=IssueLimits(at_once=1))
    desk.gate.clear()
    first = asyncio.create_task(desk.issuer.issue(Evidence(), REQUEST))
    await desk.entered.wait()
    assert await desk.reason() is Reason.RESOURCE_EXHAUSTED
    desk.gate.set()
    await first
    await desk.issuer.issue(Evidence(), REQUEST)
    assert desk.issuer.outcomes == {"RESOURCE_EXHAUSTED": 1, "issued": 2}


async def test_a_call_that_is_cancelled_gives_its_place_back() -> None:
    desk = Desk(limits=IssueLimits(at_once=1))
    desk.gate.clear()
    first = asyncio.create_task(desk.issuer.issue(Evidence(), REQUEST))
    await desk.entered.wait()
    first.cancel()
    await asyncio.wait([first])
    desk.gate.set()
    await desk.issuer.issue(Evidence(), REQUEST)


async def test_a_new_authority_signs_at_once() -> None:
    desk = Desk()
    following = self_signed(NOW)
    desk.gate.clear()
    task = asyncio.create_task(desk.issuer.issue(Evidence(), REQUEST))
    await desk.entered.wait()
    desk.current.offer(Loaded(following), "test")
    desk.gate.set()
    assert (await task).roots == following.roots_pem
