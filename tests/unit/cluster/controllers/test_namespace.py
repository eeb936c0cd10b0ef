from __future__ import annotations

from lateen.cluster.conditions import find
from lateen.cluster.controllers.namespace import deletion_status
from lateen.cluster.objects import GVR


def test_conditions_say_what_is_waited_for() -> None:
    left = {GVR("apps", "v1", "deployments"): [{"metadata": {"finalizers": ["a/b"]}}, {"metadata": {}}]}
    status = deletion_status({}, True, left, [], "2026-01-01T00:00:00Z")
    remaining = find(status["conditions"], "NamespaceContentRemaining")
    finalizers = find(status["conditions"], "NamespaceFinalizersRemaining")
    assert remaining is not None
    assert finalizers is not None
    assert remaining["message"] == "Some resources are remaining: deployments.apps has 2 resource instances"
    assert finalizers["message"] == (
        "Some content in the namespace has finalizers remaining: a/b in 1 resource instances"
    )
    again = deletion_status({"status": status}, True, {}, [], "2026-01-01T00:00:09Z")
    assert (status["phase"], {c["status"] for c in again["conditions"]}) == ("Terminating", {"False"})
