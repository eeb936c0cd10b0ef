"""The agent and the control plane agree on what a workload is called."""

from __future__ import annotations

import pytest

from lateen.agent.peer_variables import peer_variables
from lateen.model.peer import FACTS, FALLBACKS, own_variable, peer_facts


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"app": "shop", "version": "v1"},
        {"app": "shop", "app.kubernetes.io/name": "store", "app.kubernetes.io/version": "7"},
        {"service.istio.io/canonical-name": "canonical", "service.istio.io/canonical-revision": "r", "app": "shop"},
        {"app": "", "version": ""},
    ],
)
@pytest.mark.parametrize("workload", ["shop-v1", ""])
def test_both_sides_call_a_workload_the_same(workload: str, labels: dict[str, str]) -> None:
    told = peer_facts(workload, "default", "c1", labels)
    expected = {own_variable(fact): told.get(fact) or FALLBACKS.get(fact, "unknown") for fact in FACTS}
    assert peer_variables(workload, "default", "c1", labels) == expected
