from __future__ import annotations

import pytest

from lateen.model.identity import PeerIdentity, spiffe_identity
from lateen.model.proxy import Proxy, Role
from lateen.xds.authentication import NoAuthentication, Refused, check

BUYER = PeerIdentity("shop", "buyer", "cluster.local")


class Call:
    def peer(self) -> str:
        return "ipv4:10.0.0.1:4711"

    def invocation_metadata(self) -> object:
        return (
            ("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/bank/sa/boss"),
            ("x-lateen-peer", "1.2.3.4:5"),
        )


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


async def test_plaintext_proves_nothing_and_may_claim_anything() -> None:
    identity = await NoAuthentication().authenticate(Call())
    assert identity is None
    assert NoAuthentication().address(Call()) == "ipv4:10.0.0.1:4711"
    check(Proxy("web.shop", Role.SIDECAR, "shop", service_account="anyone"), identity)


def test_a_claim_must_fit_the_identity() -> None:
    check(Proxy("web.shop", Role.SIDECAR, "shop", service_account="buyer"), BUYER)
    check(Proxy("web.shop", Role.SIDECAR, "shop"), BUYER)
    with pytest.raises(Refused, match="claims namespace 'bank', but its identity is of 'shop'") as refused:
        check(Proxy("web.bank", Role.SIDECAR, "bank"), BUYER)
    assert not refused.value.unauthenticated
    with pytest.raises(Refused, match="claims service account 'boss', but its identity is of 'buyer'"):
        check(Proxy("web.shop", Role.SIDECAR, "shop", service_account="boss"), BUYER)
