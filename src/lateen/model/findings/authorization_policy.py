"""Findings on AuthorizationPolicies: what of them cannot be evaluated, and those that count for nothing."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.objects import Key, Object
from lateen.api.schema.fault import Fault, Severity, warning
from lateen.api.security.authorization_policy import AuthorizationPolicy
from lateen.api.security.authorization_support import unsupported
from lateen.engine import Reader, query
from lateen.model.authorization import DRY_RUN, FALSE, TRUE
from lateen.model.findings.peer_authentication import NO_WORKLOADS
from lateen.model.inputs import AUTHORIZATION_POLICIES, PODS, WORKLOAD_ENTRIES
from lateen.model.mesh import root_namespace
from lateen.model.workloads import entry_facts, pod_facts


@query
def authorization_policy_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """Everything about an AuthorizationPolicy that its author should know and that validation does not tell."""
    policy = AUTHORIZATION_POLICIES.get(db, key)
    if policy is None:
        return ()
    return (*unsupported(policy), *_trial(policy), *_without_workloads(db, policy))


def _trial(policy: Object[AuthorizationPolicy]) -> Iterator[Fault]:
    value = policy.metadata.annotations.get(DRY_RUN)
    if value is not None and value not in TRUE | FALSE:
        path = f"metadata.annotations[{DRY_RUN}]"
        yield warning(path, f"expected true or false, got {value!r}: the policy is not on trial but enforced")


def _without_workloads(db: Reader, policy: Object[AuthorizationPolicy]) -> Iterator[Fault]:
    selector = policy.spec.selector
    if selector is None or not selector.match_labels:
        return
    labels = frozenset(selector.match_labels.items())
    namespace = policy.metadata.namespace
    everywhere = namespace == root_namespace(db)
    for table, facts in ((PODS, pod_facts), (WORKLOAD_ENTRIES, entry_facts)):
        for key in table.keys(db) if everywhere else table.where(db, "namespace", namespace):
            found = facts(db, key)
            if found is not None and labels.issubset(found.labels):
                return
    shown = ", ".join(f"{name}={value}" for name, value in sorted(labels))
    where = "the mesh" if everywhere else f"namespace {namespace}"
    yield Fault("spec.selector", f"no workload of {where} has the labels {shown}", Severity.WARNING, NO_WORKLOADS)
