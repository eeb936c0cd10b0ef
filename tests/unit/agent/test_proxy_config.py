from __future__ import annotations

import json

import pytest

from lateen.agent.proxy_config import BadProxyConfig, ProxyConfig, duration, parse
from lateen.api.mesh.proxy_config import ProxyConfig as ApiProxyConfig


def test_nothing_is_istios_defaults():
    config, given, warnings = parse("")
    assert config == ProxyConfig()
    assert (given, warnings) == ({}, ())
    api = ApiProxyConfig()
    assert config.discovery_address == api.discovery_address
    assert (config.proxy_admin_port, config.status_port) == (api.proxy_admin_port, api.status_port)
    assert config.drain_duration * 1e9 == api.drain_duration.nanoseconds
    assert config.termination_drain_duration * 1e9 == api.termination_drain_duration.nanoseconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("1m30s", 90), ("1.5h", 5400), ("100ms", 0.1), ("0s", 0), ("0", 0)]
)
def test_durations(text, seconds):
    assert duration("x", text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"drainDuration": "soon"}, "PROXY_CONFIG.drainDuration: 'soon' is not a duration"),
        ({"drainDuration": 5}, "PROXY_CONFIG.drainDuration: 5 is not a duration"),
        ({"statusPort": 0}, "PROXY_CONFIG.statusPort: 0 is not a number from 1 to 65535"),
        ({"concurrency": True}, "PROXY_CONFIG.concurrency: True is not a number"),
        ({"proxyMetadata": {"A": 1}}, "PROXY_CONFIG.proxyMetadata.A: 1 is not a text"),
        ({"extraStatTags": "a"}, "PROXY_CONFIG.extraStatTags: 'a' is not a list"),
        ({"interceptionMode": "X"}, "'X' is not one of REDIRECT, TPROXY, NONE"),
        ({"proxyStatsMatcher": {"prefixes": []}}, "PROXY_CONFIG.proxyStatsMatcher.prefixes: there is no such field"),
        ({"statusPrt": 1}, "PROXY_CONFIG.statusPrt: there is no such field"),
        ([], "PROXY_CONFIG is not an object"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(given, words):
    with pytest.raises(BadProxyConfig) as caught:
        parse(json.dumps(given))
    assert words in str(caught.value)


def test_every_field_of_the_api_is_known_here():
    """Honoured, another's, or warned about: nothing is ignored."""
    unknown = [name for name in ApiProxyConfig.__struct_encode_fields__ if "no such field" in _refusal({name: "x"})]
    assert unknown == []


def _refusal(given):
    try:
        parse(json.dumps(given))
    except BadProxyConfig as problem:
        return str(problem)
    return ""


def test_what_is_not_done_is_said():
    _, _, warnings = parse(json.dumps({"tracing": {}, "envoyAccessLogService": {"address": "a:1"}, "image": {}}))
    assert [warning.split(":")[0] for warning in warnings] == [
        "PROXY_CONFIG.tracing",
        "PROXY_CONFIG.envoyAccessLogService",
    ]


def test_fields_arrive():
    config, given, _ = parse(
        json.dumps({
            "concurrency": 3, "terminationDrainDuration": "1m", "proxyMetadata": {"ISTIO_META_DNS_CAPTURE": "true"},
            "proxyStatsMatcher": {"inclusionPrefixes": ["http"]}, "caCertificatesPem": ["PEM"],
        })
    )  # fmt: skip
    assert config.concurrency == 3
    assert config.termination_drain_duration == 60
    assert config.proxy_metadata == {"ISTIO_META_DNS_CAPTURE": "true"}
    assert config.inclusion_prefixes == ("http",)
    assert given["concurrency"] == 3
