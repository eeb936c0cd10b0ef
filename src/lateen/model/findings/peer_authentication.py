"""Findings on PeerAuthentications: those that count for nothing, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lateen.api.objects import Key, Object
from lateen.api.schema.fault import Fault, Severity
from lateen.api.security.peer_authentication import PeerAuthentication
from lateen.engine import Reader, query
from lateen.model.inputs import PEER_AUTHENTICATIONS, PODS, WORKLOAD_ENTRIES
from lateen.model.mesh import root_namespace
from lateen.model.proxy import Labels
from lateen.model.workloads import entry_facts, pod_facts

NO_WORKLOADS: Final = "IST0127"


@query
def peer_authentication_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """Everything about a PeerAuthentication that its author should know and that it alone does not tell."""
    policy = PEER_AUTHENTICATIONS.get(db, key)
    if policy is None:
        return ()
    return (*_in_root_namespace(db, policy), *_older(db, policy), *_without_workloads(db, policy))


def _warning(path: str, message: str, code: str = "") -> Fault:
    return Fault(path, message, Severity.WARNING, code)


def _selector(policy: Object[PeerAuthentication]) -> Labels:
    selector = policy.spec.selector
    return tuple(sorted(selector.match_labels.items())) if selector is not None else ()


def _in_root_namespace(db: Reader, policy: Object[PeerAuthentication]) -> Iterator[Fault]:
    if _selector(policy) and policy.metadata.namespace == root_namespace(db):
        yield _warning("spec.selector", "has no effect: in the root namespace only a policy for the whole mesh counts")


def _older(db: Reader, policy: Object[PeerAuthentication]) -> Iterator[Fault]:
    """Of policies for the same workloads the oldest counts."""
    for key in PEER_AUTHENTICATIONS.where(db, "namespace", policy.metadata.namespace):
        other = PEER_AUTHENTICATIONS.get(db, key)
        if other is not None and other.age < policy.age and _selector(other) == _selector(policy):
            yield _warning("spec", f"has no effect: {key} is older and for the same workloads")
            return


def _without_workloads(db: Reader, policy: Object[PeerAuthentication]) -> Iterator[Fault]:
    selector = frozenset(_selector(policy))
    if not selector:
        return
    namespace = policy.metadata.namespace
    for table, facts in ((PODS, pod_facts), (WORKLOAD_ENTRIES, entry_facts)):
        for key in table.where(db, "namespace", namespace):
            found = facts(db, key)
            if found is not None and selector.issubset(found.labels):
                return
    shown = ", ".join(f"{name}={value}" for name, value in sorted(selector))
    yield _warning("spec.selector", f"no workload of namespace {namespace} has the labels {shown}", NO_WORKLOADS)
