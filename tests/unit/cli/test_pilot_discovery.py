from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lateen import __version__
from lateen.cli import pilot_discovery
from lateen.istiod.configuration import Configuration, parse_address


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Configuration]:
    """Instead of being served."""
    found: list[Configuration] = []
    monkeypatch.setattr(pilot_discovery, "serve", found.append)
    monkeypatch.setattr(pilot_discovery, "set_up_logs", lambda level, as_json: None)
    return found


def discovery(*arguments: str, **environment: str) -> str:
    done = CliRunner().invoke(pilot_discovery.main, ["discovery", *arguments], env=environment)
    assert done.exit_code == 0 or done.exception, done.output
    return done.output


def test_as_istios_deployment_starts_it(served: list[Configuration]) -> None:
    discovery(
        "--monitoringAddr=:15014", "--log_output_level=default:info", "--domain", "example.org",
        "--keepaliveMaxServerConnectionAge", "30m",
        REVISION="canary", POD_NAME="istiod-1", POD_NAMESPACE="mesh", CLUSTER_ID="west", PILOT_CERT_PROVIDER="istiod",
    )  # fmt: skip
    (found,) = served
    settings = found.settings
    assert (settings.revision, settings.identity, settings.namespace) == ("canary", "istiod-1", "mesh")
    assert (settings.cluster_id, settings.domain) == ("west", "example.org")
    assert found.cluster is not None
    assert found.issues
    ports = [address.port for address in (found.http, found.webhooks, found.secure_xds, found.monitoring)]
    assert ports == [8080, 15017, 15012, 15014]
    assert found.xds == parse_address(":15010")
    assert found.stream_age == 1800


def test_no_plaintext(served: list[Configuration], tmp_path: Path) -> None:
    discovery("--grpcAddr", "", "--meshConfig", str(tmp_path / "none"))
    assert (served[0].xds, served[0].mesh_config, served[0].stream_age) == (None, None, None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--caCertFile", "x"], "--caCertFile is not supported by this version"),
        (["--plugins", "x"], "there are no plugins"),
        (["--registries", "Mock"], "Mock"),
        (["--keepaliveInterval", "5s"], "--keepaliveInterval is 30s"),
        (["--log_output_level", "ads:debug"], "single scopes"),
        (["--log_output_level", "default:loud"], "'loud'"),
        (["--tlsCertFile", "x"], "go together"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    served: list[Configuration], arguments: list[str], words: str
) -> None:
    assert words in discovery(*arguments)
    assert not served


def test_settings_that_cannot_be(served: list[Configuration]) -> None:
    assert "PILOT_CERT_PROVIDER" in discovery(PILOT_CERT_PROVIDER="kubernetes")
    assert not served


def test_version() -> None:
    assert CliRunner().invoke(pilot_discovery.main, ["version"]).output == f"{__version__}\n"
