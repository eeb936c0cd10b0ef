from __future__ import annotations

from lateen.api.kind import Kind
from lateen.api.kubernetes.pod import Pod
from lateen.api.networking.gateway import Gateway
from lateen.api.security.peer_authentication import PeerAuthentication

GATEWAY = Kind(group="networking.istio.io", kind="Gateway", plural="gateways", versions=("v1", "v1beta1"), spec=Gateway)
POD = Kind(group="", kind="Pod", plural="pods", versions=("v1",), value=Pod)


def test_names_and_versions() -> None:
    assert GATEWAY.api_versions == ("networking.istio.io/v1", "networking.istio.io/v1beta1")
    assert GATEWAY.storage == "v1"
    assert GATEWAY.singular == "gateway"
    assert GATEWAY.categories == ("istio-io", "networking-istio-io")
    assert POD.api_versions == ("v1",)
    assert POD.categories == ()


def test_the_meshs_own_kinds_have_a_spec() -> None:
    assert GATEWAY.is_mesh
    assert not POD.is_mesh
    assert GATEWAY.spec_decoder.decode({}) == (Gateway(), ())
    assert POD.value_decoder.decode({"metadata": {}})[1] == ()


def test_decoders_are_made_once() -> None:
    assert GATEWAY.spec_decoder is GATEWAY.spec_decoder
    assert POD.value_decoder is POD.value_decoder


def test_a_spec_is_needed_where_an_empty_one_is_wrong() -> None:
    policy = Kind(group="g", kind="K", plural="ks", versions=("v1",), spec=PeerAuthentication)
    assert not policy.needs_spec
