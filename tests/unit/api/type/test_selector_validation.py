from __future__ import annotations

import pytest

from lateen.api.schema.fault import Severity
from lateen.api.type.selector import PolicyTargetReference, WorkloadSelector
from lateen.api.type.selector_validation import validate_selector, validate_targets


def test_a_selector_that_selects_everything_is_warned_about() -> None:
    (fault,) = validate_selector(WorkloadSelector())
    assert (fault.path, fault.severity) == ("spec.selector", Severity.WARNING)
    assert list(validate_selector(WorkloadSelector(match_labels={"app": "a"}))) == []
    assert list(validate_selector(None)) == []


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("", "Service"),
        ("core", "Service"),
        ("networking.istio.io", "ServiceEntry"),
        ("gateway.networking.k8s.io", "Gateway"),
        ("gateway.networking.k8s.io", "GatewayClass"),
    ],
)
def test_targets_are_what_has_proxies(group: str, kind: str) -> None:
    target = PolicyTargetReference(group=group, kind=kind, name="a")
    assert list(validate_targets(target, (target,))) == []


@pytest.mark.parametrize(("group", "kind"), [("", "Pod"), ("networking.istio.io", "Gateway"), ("apps", "Service")])
def test_other_targets_are_refused(group: str, kind: str) -> None:
    target = PolicyTargetReference(group=group, kind=kind, name="a")
    faults = list(validate_targets(target, (target,)))
    assert [fault.path for fault in faults] == ["spec.targetRef.kind", "spec.targetRefs[0].kind"]
    assert all(fault.severity is Severity.ERROR for fault in faults)
