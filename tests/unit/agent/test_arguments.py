from __future__ import annotations

import itertools

import pytest

from lateen.agent.arguments import parse
from lateen.agent.envoy_command import EnvoyOptions, command_line


def test_what_injection_writes():
    found = parse([
        "sidecar", "--domain", "shop.svc.cluster.local", "--proxyLogLevel=warning",
        "--proxyComponentLogLevel=misc:error", "--log_output_level=default:debug", "--concurrency", "2",
    ])  # fmt: skip
    assert found.role == "sidecar"
    assert found.domain == "shop.svc.cluster.local"
    assert (found.envoy_level, found.envoy_component_levels) == ("warning", "misc:error")
    assert (found.level, found.as_json, found.concurrency) == ("debug", False, 2)


@pytest.mark.parametrize(
    ("flag", "level", "components"),
    [
        ("--proxyLogLevel=info,rbac:debug,jwt:trace", "info", "rbac:debug,jwt:trace"),
        ("--proxyLogLevel=rbac:debug", "warning", "rbac:debug"),
        ("--proxyLogLevel=off", "off", ""),
    ],
)
def test_levels_of_envoys_log(flag, level, components):
    found = parse(["router", flag])
    assert (found.envoy_level, found.envoy_component_levels) == (level, components)


@pytest.mark.parametrize(
    ("flag", "level"),
    [
        ("info", "info"),
        ("all:warn", "warn"),
        ("default:error,ads:debug", "error"),
        ("ads:debug", "info"),
        ("fatal", "error"),
    ],
)
def test_levels_of_the_log(flag, level):
    assert parse(["sidecar", f"--log_output_level={flag}"]).level == level


def test_json():
    assert parse(["--log_as_json"]).as_json
    assert parse(["--log_as_json=true", "waypoint"]).role == "waypoint"
    assert not parse(["--log_as_json=false"]).as_json


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["node"], "invalid choice: 'node'"),
        (["--templateFile=x"], "--templateFile is not supported yet by this version"),
        (["--stsPort", "0"], "--stsPort is not supported yet"),
        (["--no-such-flag"], "--no-such-flag"),
        (["--proxyLogLevel=loud"], "there is no level 'loud'"),
        (["--log_output_level=loud"], "'loud' is not [SCOPE:]LEVEL"),
        (["--concurrency=-1"], "-1 is not a number from 0"),
    ],
)
def test_what_is_refused(capsys, arguments, words):
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_the_help_has_examples(capsys):
    with pytest.raises(SystemExit) as caught:
        parse(["--help"])
    assert caught.value.code == 0
    assert "pilot-agent proxy router" in capsys.readouterr().out


def test_envoys_command_line():
    options = EnvoyOptions(
        bootstrap="/b", override="x: y", level="info", component_levels="misc:error", concurrency=3, drain=45.0,
        parent_shutdown=60.0, ipv6=True, flush_interval=0.0001, flush_size_kb=64, skip_deprecated=True, as_json=False,
    )  # fmt: skip
    found = command_line(options)
    assert "--disable-hot-restart" in found, "with it, Envoy would end with the agent"
    pairs = dict(itertools.pairwise(found))
    assert pairs["--drain-time-s"] == "45"
    assert pairs["--local-address-ip-version"] == "v6"
    assert pairs["--file-flush-interval-msec"] == "1"
    assert pairs["--concurrency"] == "3"
    assert pairs["--config-yaml"] == "x: y"
    assert "--concurrency" not in command_line(options._replace(concurrency=0))
