"""Findings on EnvoyFilters."""

from __future__ import annotations

from lateen.api.objects import Key
from lateen.engine import Engine
from lateen.model.findings.envoy_filter import envoy_filter_findings
from lateen.model.inputs import ENVOY_FILTERS
from lateen.testing.envoy_filters import envoy_filter, patch


def test_wrong_values_are_found_and_the_others_are_not() -> None:
    engine = Engine()
    obj = envoy_filter(
        patch("CLUSTER", "MERGE", {"alt_stat_name": "x"}),
        patch("CLUSTER", "MERGE", {"connect_timeout": "never"}),
        patch("CLUSTER", "REMOVE"),
    )
    assert engine.get(envoy_filter_findings, obj.key) == ()
    with engine.change() as tx:
        tx.set(ENVOY_FILTERS, obj.key, obj)
    [fault] = engine.get(envoy_filter_findings, obj.key)
    assert fault.path == "spec.configPatches[1].patch.value"
    assert "connect_timeout" in fault.message
    assert engine.get(envoy_filter_findings, Key("default", "other")) == ()
