"""Whether a pod is injected: Istio's table."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.injection.decision import decide
from lateen.testing.injected_pods import configuration, pod

_SELECTORS = """
neverInjectSelector:
- matchLabels: {kind: batch}
alwaysInjectSelector:
- matchExpressions: [{key: mesh, operator: In, values: [always]}]
- {}
"""


@pytest.mark.parametrize(
    ("policy", "labels", "annotations", "inject", "reason"),
    [
        ("enabled", {}, {}, True, "policy is enabled"),
        ("disabled", {}, {}, False, "policy is disabled"),
        ("disabled", {"sidecar.istio.io/inject": "true"}, {}, True, "label sidecar.istio.io/inject=true"),
        ("enabled", {"sidecar.istio.io/inject": "false"}, {}, False, "label sidecar.istio.io/inject=false"),
        ("disabled", {}, {"sidecar.istio.io/inject": "Yes"}, True, "annotation sidecar.istio.io/inject=Yes"),
        ("enabled", {}, {"sidecar.istio.io/inject": "off"}, False, "annotation sidecar.istio.io/inject=off"),
        ("enabled", {"sidecar.istio.io/inject": "false"}, {"sidecar.istio.io/inject": "true"}, False, "label"),
        ("enabled", {"sidecar.istio.io/inject": "nonsense"}, {}, False, "label"),
        ("enabled", {"kind": "batch"}, {}, False, "neverInjectSelector[0]"),
        ("enabled", {"kind": "batch", "sidecar.istio.io/inject": "true"}, {}, True, "label"),
        ("disabled", {"mesh": "always"}, {}, True, "alwaysInjectSelector[0]"),
        ("disabled", {"mesh": "always", "kind": "batch"}, {}, False, "neverInjectSelector[0]"),
        ("disabled", {"mesh": "other"}, {}, False, "policy is disabled"),
    ],
)
def test_by_labels_annotations_selectors_and_policy(
    policy: str, labels: dict[str, str], annotations: dict[str, str], inject: bool, reason: str
) -> None:
    config = configuration(f"policy: {policy}\n{_SELECTORS}")
    decision = decide(pod(annotations, labels or {"a": "b"}), "shop", config)
    assert decision.inject is inject
    assert reason in decision.reason


@pytest.mark.parametrize(
    ("namespace", "spec", "reason"),
    [
        ("shop", {"hostNetwork": True}, "hostNetwork"),
        ("kube-system", {}, "kube-system"),
        ("kube-public", {}, "kube-public"),
        ("kube-node-lease", {}, "kube-node-lease"),
        ("local-path-storage", {}, "local-path-storage"),
        ("shop", {"os": {"name": "windows"}}, "Windows"),
        ("shop", {"nodeSelector": {"kubernetes.io/os": "windows"}}, "Windows"),
    ],
)
def test_pods_that_are_never_injected_whatever_they_ask_for(namespace: str, spec: dict[str, Any], reason: str) -> None:
    given = pod(labels={"sidecar.istio.io/inject": "true"}, **spec)
    decision = decide(given, namespace, configuration())
    assert not decision.inject
    assert reason in decision.reason


def test_the_policy_is_the_installations_where_the_configuration_has_none() -> None:
    assert not decide(pod(), "shop", configuration(global_={"proxy": {"autoInject": "disabled"}})).inject
