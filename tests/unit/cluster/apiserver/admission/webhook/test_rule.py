from __future__ import annotations

import pytest

from lateen.cluster.apiserver.admission.webhook.rule import Rule
from lateen.cluster.objects import GVR

PODS = GVR("", "v1", "pods")
DEPLOYMENTS = GVR("apps", "v1", "deployments")


def rule(resources: str, groups: str = "*", operations: str = "*", versions: str = "*", scope: str = "*") -> Rule:
    return Rule.from_json(
        {
            "operations": operations.split(),
            "apiGroups": groups.split(","),
            "apiVersions": versions.split(),
            "resources": resources.split(),
            "scope": scope,
        }
    )


@pytest.mark.parametrize(
    ("given", "gvr", "subresource", "expected"),
    [
        (rule("pods"), PODS, "", True),
        (rule("pods"), PODS, "status", False),
        (rule("*"), PODS, "", True),
        (rule("*"), PODS, "status", False),
        (rule("*/*"), PODS, "status", True),
        (rule("*/*"), PODS, "", True),
        (rule("pods/*"), PODS, "exec", True),
        (rule("*/status"), DEPLOYMENTS, "status", True),
        (rule("*/status"), DEPLOYMENTS, "scale", False),
        (rule("services pods/exec"), PODS, "exec", True),
        (rule("pods", groups="apps"), PODS, "", False),
        (rule("deployments", groups=",apps"), DEPLOYMENTS, "", True),
        (rule("deployments", versions="v1beta1"), DEPLOYMENTS, "", False),
        (rule("pods", operations="UPDATE DELETE"), PODS, "", False),
        (rule("pods", scope="Cluster"), PODS, "", False),
        (rule("pods", scope="Namespaced"), PODS, "", True),
    ],
)
def test_matches(given: Rule, gvr: GVR, subresource: str, expected: bool) -> None:
    assert given.matches("CREATE", gvr, subresource, namespaced=True) is expected
