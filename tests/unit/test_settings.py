from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from lateen.settings import JwtRule, SettingError, read_istiod_settings, read_settings, unknown_istiod_variables

NOBODY = pwd.getpwnam("nobody")


def test_defaults_follow_the_users_home() -> None:
    found = read_settings({"HOME": "/home/jane"})
    assert found.home == Path("/home/jane/.lateen")
    assert found.kubeconfig == Path("/home/jane/.kube/config")
    assert found.caller is None
    assert found.colour


def test_variables_win() -> None:
    found = read_settings({"HOME": "/h", "LATEEN_HOME": "/l", "KUBECONFIG": "/a:/b", "NO_COLOR": "1"})
    assert (found.home, found.kubeconfig, found.colour) == (Path("/l"), Path("/a"), False)


def test_under_sudo_the_kubeconfig_is_the_callers() -> None:
    environment = {"HOME": "/root", "SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": str(NOBODY.pw_gid)}
    found = read_settings(environment)
    assert found.caller is not None
    assert (found.caller.uid, found.caller.gid) == (NOBODY.pw_uid, NOBODY.pw_gid)
    assert found.kubeconfig == Path(NOBODY.pw_dir) / ".kube" / "config"
    assert found.home == Path("/root/.lateen")


def test_root_called_by_root_or_by_nobody_known_is_on_its_own() -> None:
    for uid in ("0", "", "x", "4000000000"):
        assert read_settings({"HOME": "/root", "SUDO_UID": uid, "SUDO_GID": "0"}).caller is None


def test_istiods_defaults() -> None:
    found = read_istiod_settings({})
    assert (found.revision, found.cluster_id, found.namespace) == ("default", "Kubernetes", "istio-system")
    assert found.debounce_after < found.debounce_max
    assert found.identity
    assert found.status


def test_istiods_variables_have_istios_names_and_forms() -> None:
    found = read_istiod_settings(
        {
            "REVISION": "canary",
            "POD_NAME": "istiod-1",
            "PILOT_DEBOUNCE_AFTER": "100ms",
            "PILOT_DEBOUNCE_MAX": "1m0.5s",
            "PILOT_ENABLE_STATUS": "false",
            "PILOT_SCOPE_GATEWAY_TO_NAMESPACE": "T",
            "PILOT_STATUS_QPS": "10",
        }
    )
    assert (found.revision, found.identity) == ("canary", "istiod-1")
    assert (found.debounce_after, found.debounce_max) == (0.1, 60.5)
    assert (found.status, found.scope_gateways, found.status_per_second) == (False, True, 10.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PILOT_DEBOUNCE_AFTER", "100"),
        ("PILOT_DEBOUNCE_AFTER", "-1s"),
        ("PILOT_ENABLE_STATUS", "yes"),
        ("PILOT_STATUS_QPS", "0"),
        ("PILOT_STATUS_QPS", "nan"),
        ("PILOT_STATUS_QPS", "inf"),
    ],
)
def test_a_variable_that_cannot_be_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        read_istiod_settings({name: value})


def test_variables_of_istio_that_have_no_effect_are_named() -> None:
    environment = {
        "PILOT_ENABLE_AMBIENT": "true",
        "CITADEL_X": "1",
        "PILOT_DEBOUNCE_MAX": "1s",
        "PILOT_SERVICE_HOST": "10.0.0.1",
        "PILOT_PORT_15010_TCP_ADDR": "10.0.0.1",
        "PILOT_PORT": "tcp://10.0.0.1:15010",
        "PATH": "/bin",
        "JWT_RULE": "{}",
        "XDS_AUTH": "false",
    }
    assert unknown_istiod_variables(environment) == ("CITADEL_X", "PILOT_ENABLE_AMBIENT", "XDS_AUTH")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PILOT_CERT_PROVIDER", "kubernetes"),
        ("MAX_WORKLOAD_CERT_TTL", "90d"),
        ("DEFAULT_WORKLOAD_CERT_TTL", "0s"),
        ("LATEEN_ROTATION_LAG", "29s"),
        ("MAX_WORKLOAD_CERT_TTL", "0.0000001s"),
        ("CITADEL_SELF_SIGNED_CA_CERT_TTL", "80000000h"),
        ("JWT_RULE", "issuer"),
        ("JWT_RULE", "[]"),
        ("JWT_RULE", "{}"),
        ("JWT_RULE", '{"issuer": "http://issuer.example"}'),
        ("JWT_RULE", '{"issuer": "https://issuer.example", "jwks_uri": "http://issuer.example/keys"}'),
        ("JWT_RULE", '{"issuer": "https://issuer.example", "jwks": "{}"}'),
    ],
)
def test_what_certificates_cannot_be(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        read_istiod_settings({name: value})


def test_settings_of_certificates() -> None:
    found = read_istiod_settings({"ISTIOD_CUSTOM_HOST": "a.example, b.example,", "MAX_WORKLOAD_CERT_TTL": "1h30m"})
    assert found.custom_hosts == ("a.example", "b.example")
    assert found.longest_life.total_seconds() == 5400
    assert found.token_audiences == ("istio-ca",)


@pytest.mark.parametrize("name", ["jwks_uri", "jwksUri"])
def test_an_issuer_whose_jwts_are_believed(name: str) -> None:
    text = f'{{"issuer": "https://a.example", "{name}": "https://a.example/keys", "audiences": ["mesh"]}}'
    found = read_istiod_settings({"JWT_RULE": text}).jwt_rule
    assert found == JwtRule("https://a.example", "https://a.example/keys", ("mesh",))
