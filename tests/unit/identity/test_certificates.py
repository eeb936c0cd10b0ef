from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lateen.identity.caller import AnyOf, Caller, CannotVerify, Evidence, Refused
from lateen.identity.certificates import ByCertificate
from lateen.identity.facts import WorkloadFacts
from lateen.identity.self_signed import self_signed
from lateen.identity.signing import sign
from lateen.model.identity import PeerIdentity
from lateen.testing import certificates
from lateen.testing.authorities import ec_key, of_no_version, signing_pair

NOW = datetime.now(UTC)
WEB = PeerIdentity("shop", "web", "cluster.local")
FACTS = WorkloadFacts(workload="web-v1", namespace="shop", app="web")
OURS = ("cluster.local",)


def shown(identity: PeerIdentity = WEB) -> Evidence:
    issued = sign(self_signed(NOW), ec_key().public_key(), identity, FACTS, now=NOW)
    return Evidence(certificate=issued.certificate.encode())


async def test_identity_and_facts_go_on() -> None:
    assert await ByCertificate(lambda: OURS).authenticate(shown()) == Caller(WEB, facts=FACTS)


async def test_another_mesh_is_denied() -> None:
    with pytest.raises(Refused, match="elsewhere") as caught:
        await ByCertificate(lambda: OURS).authenticate(shown(WEB._replace(trust_domain="elsewhere")))
    assert caught.value.denied


async def test_a_certificate_that_has_expired_since_the_handshake() -> None:
    later = ByCertificate(lambda: OURS, now=lambda: NOW + timedelta(hours=25))
    with pytest.raises(Refused, match="not valid now"):
        await later.authenticate(shown())


@pytest.mark.parametrize(
    "certificate",
    [
        b"",
        b"nonsense",
        signing_pair("no names").pem,
        of_no_version(signing_pair("no version").pem),
        certificates.Authority().issue("a.example").certificate.encode(),
        certificates.Authority().issue("spiffe://cluster.local/other/form").certificate.encode(),
        certificates.Authority()
        .issue("spiffe://cluster.local/ns/a/sa/b", "spiffe://cluster.local/ns/c/sa/d")
        .certificate.encode(),
    ],
)
async def test_without_one_spiffe_identity_nothing_is_proven(certificate: bytes) -> None:
    with pytest.raises(Refused) as caught:
        await ByCertificate(lambda: OURS).authenticate(Evidence(certificate=certificate))
    assert not caught.value.denied


class Way:
    def __init__(self, outcome: Caller | Exception) -> None:
        self._outcome = outcome

    async def authenticate(self, evidence: Evidence) -> Caller:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


async def test_the_first_way_that_proves_something() -> None:
    one, two = Caller(WEB), Caller(WEB._replace(namespace="bank"))
    assert await AnyOf(Way(Refused("a")), Way(one), Way(two)).authenticate(Evidence()) == one


async def test_a_certificate_serves_while_tokens_cannot_be_verified() -> None:
    assert await AnyOf(Way(CannotVerify("down")), Way(Caller(WEB))).authenticate(Evidence()) == Caller(WEB)


async def test_doubt_is_no_refusal() -> None:
    with pytest.raises(CannotVerify, match="down; no certificate"):
        await AnyOf(Way(CannotVerify("down")), Way(Refused("no certificate"))).authenticate(Evidence())


async def test_who_may_not_may_not_by_another_way() -> None:
    with pytest.raises(Refused, match="not you"):
        await AnyOf(Way(Refused("not you", denied=True)), Way(Caller(WEB))).authenticate(Evidence())


async def test_evidence_does_not_tell_its_token() -> None:
    assert "secret" not in repr(Evidence("secret", b"secret"))
