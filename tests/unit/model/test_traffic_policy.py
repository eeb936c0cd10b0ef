from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.api.networking.destination_rule import (
    ClientTLSSettings,
    ConnectionPoolSettings,
    DestinationRule,
    HTTPSettings,
    LoadBalancerSettings,
    OutlierDetection,
    PortTrafficPolicy,
    ProxyProtocol,
    RetryBudget,
    SimpleLB,
    Subset,
    TrafficPolicy,
    TunnelSettings,
)
from lateen.api.networking.virtual_service import PortSelector
from lateen.model.destination_rules import MergedRule
from lateen.model.traffic_policy import NO_POLICY, policy_of

PER_PORT = ("load_balancer", "connection_pool", "outlier_detection", "tls")
OTHERS = ("tunnel", "proxy_protocol", "retry_budget")


def rule(text: dict[str, Any]) -> MergedRule:
    found = msgspec.convert({"host": "a", **text}, DestinationRule)
    return MergedRule(found.traffic_policy, found.subsets)


def summary(policy: TrafficPolicy) -> dict[str, Any]:
    """The settings that a policy has, in short."""
    found: dict[str, Any] = {}
    if policy.load_balancer is not None and policy.load_balancer.simple is not None:
        found["lb"] = policy.load_balancer.simple.value
    if policy.tls is not None:
        found["tls"] = policy.tls.mode.value
    if policy.connection_pool is not None and policy.connection_pool.http is not None:
        found["retries"] = policy.connection_pool.http.max_retries
    if policy.outlier_detection is not None:
        found["outliers"] = policy.outlier_detection.max_ejection_percent
    if policy.proxy_protocol is not None:
        found["proxy"] = policy.proxy_protocol.version.value
    return found


TOP: dict[str, Any] = {
    "loadBalancer": {"simple": "RANDOM"},
    "connectionPool": {"http": {"maxRetries": 1}},
    "proxyProtocol": {"version": "V2"},
}
AT_80: dict[str, Any] = {"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "SIMPLE"}}]}
SUBSET: dict[str, Any] = {"name": "v1", "trafficPolicy": {"loadBalancer": {"simple": "ROUND_ROBIN"}}}
SUBSET_AT_80: dict[str, Any] = {
    "name": "v1",
    "trafficPolicy": {
        "loadBalancer": {"simple": "ROUND_ROBIN"},
        "portLevelSettings": [{"port": {"number": 80}, "outlierDetection": {"maxEjectionPercent": 5}}],
    },
}


@pytest.mark.parametrize(
    ("text", "port", "subset", "expected"),
    [
        ({}, 80, "", {}),
        ({"trafficPolicy": TOP}, 80, "", {"lb": "RANDOM", "retries": 1, "proxy": "V2"}),
        # A port-level policy stands in for the whole.
        ({"trafficPolicy": {**TOP, **AT_80}}, 80, "", {"tls": "SIMPLE"}),
        ({"trafficPolicy": {**TOP, **AT_80}}, 81, "", {"lb": "RANDOM", "retries": 1, "proxy": "V2"}),
        # A subset overrides setting by setting.
        (
            {"trafficPolicy": TOP, "subsets": [SUBSET]},
            80,
            "v1",
            {"lb": "ROUND_ROBIN", "retries": 1, "proxy": "V2"},
        ),
        ({"trafficPolicy": TOP, "subsets": [{"name": "v1"}]}, 80, "v1", {"lb": "RANDOM", "retries": 1, "proxy": "V2"}),
        ({"subsets": [SUBSET]}, 80, "v1", {"lb": "ROUND_ROBIN"}),
        # What a subset overrides is what the rule says of the port.
        ({"trafficPolicy": {**TOP, **AT_80}, "subsets": [SUBSET]}, 80, "v1", {"lb": "ROUND_ROBIN", "tls": "SIMPLE"}),
        # A subset's port-level policy overrides even what it leaves out, but what ports cannot say.
        (
            {"trafficPolicy": TOP, "subsets": [SUBSET_AT_80]},
            80,
            "v1",
            {"outliers": 5, "proxy": "V2"},
        ),
        (
            {"trafficPolicy": TOP, "subsets": [SUBSET_AT_80]},
            81,
            "v1",
            {"lb": "ROUND_ROBIN", "retries": 1, "proxy": "V2"},
        ),
        # Of a subset that there is not the rule says what it says of all.
        ({"trafficPolicy": TOP, "subsets": [SUBSET]}, 80, "v9", {"lb": "RANDOM", "retries": 1, "proxy": "V2"}),
    ],
)
def test_settings_of_a_port_and_subset(text: dict[str, Any], port: int, subset: str, expected: dict[str, Any]) -> None:
    assert summary(policy_of(rule(text), port, subset)) == expected


# --- the algebra --------------------------------------------------------------------------------------------------


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "load_balancer": maybe(st.sampled_from([LoadBalancerSettings(simple=each) for each in SimpleLB])),
    "connection_pool": maybe(
        st.integers(1, 3).map(lambda retries: ConnectionPoolSettings(http=HTTPSettings(max_retries=retries)))
    ),
    "outlier_detection": maybe(st.integers(1, 3).map(lambda percent: OutlierDetection(max_ejection_percent=percent))),
    "tls": maybe(st.sampled_from(["a", "b"]).map(lambda sni: ClientTLSSettings(sni=sni))),
}
MORE: dict[str, st.SearchStrategy[Any]] = {
    "tunnel": maybe(st.integers(1, 2).map(lambda port: TunnelSettings(target_host="a", target_port=port))),
    "proxy_protocol": maybe(st.just(ProxyProtocol())),
    "retry_budget": maybe(st.integers(1, 2).map(lambda count: RetryBudget(min_retry_concurrency=count))),
}
PORTS = st.integers(80, 82)
PORT_POLICIES = st.builds(PortTrafficPolicy, port=PORTS.map(lambda number: PortSelector(number=number)), **SETTINGS)
POLICIES = st.builds(
    TrafficPolicy, **SETTINGS, **MORE, port_level_settings=st.lists(PORT_POLICIES, max_size=2).map(tuple)
)
RULES = st.builds(
    MergedRule,
    policy=maybe(POLICIES),
    subsets=maybe(POLICIES).map(lambda policy: (Subset(name="v1", traffic_policy=policy),)),
)


def port_level(policy: TrafficPolicy | None, port: int) -> PortTrafficPolicy | None:
    settings = policy.port_level_settings if policy is not None else ()
    return next((each for each in settings if each.port is not None and each.port.number == port), None)


@given(RULES, PORTS)
def test_every_setting_comes_from_the_narrowest_place_that_is_asked(found: MergedRule, port: int) -> None:
    effective = policy_of(found, port, "v1")
    special = found.subsets[0].traffic_policy
    general_port, special_port = port_level(found.policy, port), port_level(special, port)
    general = general_port or found.policy
    for setting in PER_PORT:
        if special_port is not None:
            expected = getattr(special_port, setting)
        else:
            expected = getattr(special, setting, None) or getattr(general, setting, None)
        assert getattr(effective, setting) == expected
    for setting in OTHERS:
        of_subset = getattr(special, setting, None) if special_port is None else None
        assert getattr(effective, setting) == (of_subset or getattr(general, setting, None))
    assert effective.port_level_settings == ()


@given(RULES, PORTS)
def test_a_subset_without_a_policy_changes_nothing(found: MergedRule, port: int) -> None:
    plain = msgspec.structs.replace(found, subsets=(Subset(name="v1"),))
    assert policy_of(plain, port, "v1") == policy_of(plain, port, "")


@given(POLICIES, PORTS)
def test_a_subset_that_repeats_the_rule_changes_nothing(policy: TrafficPolicy, port: int) -> None:
    found = MergedRule(policy, (Subset(name="v1", traffic_policy=policy),))
    assert policy_of(found, port, "v1") == policy_of(found, port, "")


def test_without_rules_there_is_the_one_policy_that_says_nothing() -> None:
    assert policy_of(MergedRule(), 80, "") is NO_POLICY
