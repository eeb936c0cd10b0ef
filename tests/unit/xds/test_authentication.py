from __future__ import annotations

from collections.abc import Mapping

import pytest

from lateen.model.proxy import Proxy, Role
from lateen.xds.authentication import (
    AnyOf,
    BearerToken,
    MutualTls,
    NoAuthentication,
    PeerIdentity,
    Refused,
    check,
    spiffe_identity,
)

BUYER = PeerIdentity("shop", "buyer", "cluster.local")


class Call:
    def __init__(self, *names: str, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self._names = [name.encode() for name in names]
        self._metadata = metadata

    def auth_context(self) -> Mapping[str, list[bytes]]:
        return {"x509_subject_alternative_name": self._names} if self._names else {}

    def invocation_metadata(self) -> object:
        return self._metadata


async def verify(token: str) -> PeerIdentity:
    if token != "good":
        raise Refused("this token is no good", unauthenticated=True)
    return BUYER


@pytest.mark.parametrize(
    "uri",
    [
        "https://cluster.local/ns/shop/sa/buyer",
        "spiffe://cluster.local/ns/shop",
        "spiffe://cluster.local/ns/shop/sa/",
        "spiffe:///ns/shop/sa/buyer",
        "spiffe://cluster.local/ns/shop/sa/buyer/more",
        "shop/buyer",
    ],
)
def test_what_is_no_identity(uri: str) -> None:
    assert spiffe_identity(uri) is None


async def test_mutual_tls_takes_the_one_spiffe_name() -> None:
    call = Call("web.shop.svc", "spiffe://cluster.local/ns/shop/sa/buyer")
    assert await MutualTls().authenticate(call) == BUYER


@pytest.mark.parametrize(
    "names", [(), ("web.shop.svc",), ("spiffe://a/ns/b/sa/c", "spiffe://a/ns/b/sa/d")], ids=["none", "dns", "two"]
)
async def test_mutual_tls_wants_exactly_one(names: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="one SPIFFE identity") as refused:
        await MutualTls().authenticate(Call(*names))
    assert refused.value.unauthenticated


async def test_another_trust_domain_is_refused() -> None:
    with pytest.raises(Refused, match="trust domain 'evil'"):
        await MutualTls(frozenset({"cluster.local"})).authenticate(Call("spiffe://evil/ns/shop/sa/buyer"))


async def test_a_bearer_token_is_verified() -> None:
    way = BearerToken(verify)
    assert await way.authenticate(Call(metadata=(("authorization", "Bearer good"),))) == BUYER
    for metadata in ((), (("authorization", "Basic good"),), (("authorization", "Bearer "),)):
        with pytest.raises(Refused, match="bearer token is needed"):
            await way.authenticate(Call(metadata=metadata))
    with pytest.raises(Refused, match="no good"):
        await way.authenticate(Call(metadata=(("authorization", "Bearer bad"),)))


async def test_the_first_way_that_proves_something_counts() -> None:
    way = AnyOf(MutualTls(), BearerToken(verify))
    assert await way.authenticate(Call(metadata=(("authorization", "Bearer good"),))) == BUYER
    assert await way.authenticate(Call("spiffe://cluster.local/ns/shop/sa/buyer")) == BUYER
    with pytest.raises(Refused, match=r"SPIFFE.*; a bearer token is needed"):
        await way.authenticate(Call())


async def test_plaintext_proves_nothing_and_may_claim_anything() -> None:
    identity = await NoAuthentication().authenticate(Call())
    assert identity is None
    check(Proxy("web.shop", Role.SIDECAR, "shop", service_account="anyone"), identity)


def test_a_claim_must_fit_the_identity() -> None:
    check(Proxy("web.shop", Role.SIDECAR, "shop", service_account="buyer"), BUYER)
    check(Proxy("web.shop", Role.SIDECAR, "shop"), BUYER)
    with pytest.raises(Refused, match="claims namespace 'bank', but its identity is of 'shop'") as refused:
        check(Proxy("web.bank", Role.SIDECAR, "bank"), BUYER)
    assert not refused.value.unauthenticated
    with pytest.raises(Refused, match="claims service account 'boss', but its identity is of 'buyer'"):
        check(Proxy("web.shop", Role.SIDECAR, "shop", service_account="boss"), BUYER)
