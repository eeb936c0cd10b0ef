from __future__ import annotations

import pytest

from lateen.agent.environment import certificate_settings, drain_settings, refuse, without_effect
from lateen.agent.proxy_config import ProxyConfig
from lateen.agent.settings import KeyKind
from lateen.agent.variables import BadEnvironment, flag, number


def _certificates(environment=None, config=ProxyConfig(), mounted=""):  # noqa: B008
    return certificate_settings(environment or {}, config, "/etc/istio/proxy", "/", mounted)


def test_where_certificates_come_from():
    found = _certificates()
    assert found.source == "authority"
    assert found.address == "istiod.istio-system.svc:15012"
    assert found.server_name == "istiod.istio-system.svc"
    assert found.token == "/var/run/secrets/tokens/istio-token"
    assert found.roots == "/var/run/secrets/istio/root-cert.pem"
    assert found.directory == "/etc/istio/proxy/sds"
    assert found.key.algorithm == "ECDSA"


def test_a_revision_and_an_authority_elsewhere():
    found = _certificates({"CA_ADDR": "istiod-canary.istio-system.svc:15012", "ISTIO_META_CLUSTER_ID": "two"})
    assert found.server_name == "istiod-canary.istio-system.svc"
    assert found.cluster == "two"
    assert _certificates({"CA_ADDR": "10.0.0.1:15012", "ISTIOD_SAN": "istiod.x.svc"}).server_name == "istiod.x.svc"
    assert _certificates({"CA_ADDR": "localhost:15012"}).server_name == "istiod.istio-system.svc"


def test_other_sources():
    assert _certificates(mounted="/m").source == "files"
    assert _certificates(config=ProxyConfig(control_plane_auth_policy="NONE"), mounted="/m").source == "none"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"ECC_SIGNATURE_ALGORITHM": "ECDSA", "ECC_CURVE": "P384"}, KeyKind("ECDSA", "P384", 2048, False)),
        ({"WORKLOAD_RSA_KEY_SIZE": "4096", "PKCS8_KEY": "true"}, KeyKind("RSA", "P256", 4096, True)),
        ({"ECC_SIGNATURE_ALGORITHM": "ECDSA", "WORKLOAD_RSA_KEY_SIZE": "4096"}, KeyKind("ECDSA", "P256", 4096, False)),
    ],
)
def test_keys(environment, expected):
    assert _certificates(environment).key == expected


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"ECC_SIGNATURE_ALGORITHM": "DSA"}, "ECC_SIGNATURE_ALGORITHM: 'DSA'"),
        ({"ECC_CURVE": "P1"}, "ECC_CURVE: 'P1' is not one of P256, P384, P521"),
        ({"WORKLOAD_RSA_KEY_SIZE": "512"}, "WORKLOAD_RSA_KEY_SIZE: '512' is not a number from 2048"),
        ({"SECRET_TTL": "a day"}, "SECRET_TTL: 'a day' is not a duration"),
        ({"CA_ADDR": "istiod.istio-system.svc"}, "CA_ADDR: 'istiod.istio-system.svc' is not of the form HOST:PORT"),
        ({"CA_ADDR": "istiod:0"}, "CA_ADDR: 'istiod:0' is not of the form HOST:PORT"),
        ({"SECRET_GRACE_PERIOD_RATIO": "2"}, "SECRET_GRACE_PERIOD_RATIO: '2' is not a number from 0 to 1"),
    ],
)
def test_values_that_make_no_sense(environment, words):
    with pytest.raises(BadEnvironment) as caught:
        _certificates(environment)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["PROV_CERT", "XDS_AUTH_PROVIDER", "ISTIO_META_CERT_SIGNER"])
def test_what_is_not_supported_is_refused_by_name(name):
    with pytest.raises(BadEnvironment, match=f"{name}=something is not supported yet"):
        refuse({name: "something"})


def test_what_has_no_effect_is_said():
    found = without_effect({"WASM_MODULE_EXPIRY": "24h", "DNS_PROXY_ADDR": "", "POD_NAME": "x"})
    assert found == ("WASM_MODULE_EXPIRY has no effect: Envoy fetches modules",)


def test_roots_of_the_system_are_refused():
    with pytest.raises(BadEnvironment, match="CA_ROOT_CA=SYSTEM"):
        refuse({"CA_ROOT_CA": "SYSTEM"})


def test_what_injection_sets_is_taken():
    refuse({"PILOT_CERT_PROVIDER": "istiod", "CA_PROVIDER": "Citadel", "JWT_POLICY": "third-party-jwt"})


def test_sidecars_keep_their_way_out():
    environment = {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true", "MINIMUM_DRAIN_DURATION": "2s"}
    found = drain_settings(environment, ProxyConfig(termination_drain_duration=7), "sidecar")
    assert (found.inbound_only, found.duration, found.on_zero_connections, found.minimum) == (True, 7, True, 2)
    assert not drain_settings({}, ProxyConfig(), "router").inbound_only


def test_flags():
    assert flag({"A": "T"}, "A", False)
    assert not flag({"A": "0"}, "A", True)
    with pytest.raises(BadEnvironment, match="A: 'yes' is not true or false"):
        flag({"A": "yes"}, "A", False)


@pytest.mark.parametrize("text", ["-1", "1025", "1.0", "one", "9" * 5000, "²"])
def test_numbers_that_are_none(text):
    with pytest.raises(BadEnvironment, match=r"X: .* is not a number from 0 to 1024"):
        number({"X": text}, "X", 1, least=0, most=1024)
