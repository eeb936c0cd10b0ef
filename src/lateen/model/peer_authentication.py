"""Which mutual TLS a workload asks of its callers, port by port: PeerAuthentication of mesh, namespace and workload.

Of several policies of equal standing the oldest counts. A mode that is unset is the next wider one's: port, workload,
namespace, mesh; in the end PERMISSIVE. In the root namespace only the policy without a selector counts (the mesh's).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lateen.api.objects import Key, Object
from lateen.api.security.peer_authentication import MutualTLS, MutualTLSMode, PeerAuthentication
from lateen.engine import Reader, query
from lateen.model import mesh
from lateen.model.inputs import PEER_AUTHENTICATIONS
from lateen.model.proxy import Labels


class WorkloadPolicy(msgspec.Struct, frozen=True):
    """What a PeerAuthentication with a selector asks, nothing unset."""

    key: Key
    selector: Labels
    mode: MutualTLSMode
    ports: tuple[tuple[int, MutualTLSMode], ...]
    """Where it differs from port to port: by the workload's own port."""


class PeerPolicies(msgspec.Struct, frozen=True):
    """All that PeerAuthentications say of a namespace."""

    mode: MutualTLSMode
    """Of workloads without a policy of their own; never UNSET."""
    declared: bool
    """A policy of the namespace or of the mesh says so; otherwise it is the default."""
    workloads: tuple[WorkloadPolicy, ...] = ()
    """Oldest first: the first that selects a workload is the one."""

    def of(self, labels: Mapping[str, str] | Labels) -> WorkloadPolicy | None:
        """The policy of the workload itself."""
        if not self.workloads:
            return None
        found = set(labels.items() if isinstance(labels, Mapping) else labels)
        return next((policy for policy in self.workloads if found.issuperset(policy.selector)), None)

    def of_port(self, labels: Mapping[str, str] | Labels, port: int) -> MutualTLSMode:
        """What a workload with these labels asks on one of its own ports; never UNSET."""
        policy = self.of(labels)
        if policy is None:
            return self.mode
        return next((mode for number, mode in policy.ports if number == port), policy.mode)


@query
def peer_policies(db: Reader, namespace: str) -> PeerPolicies:
    """What PeerAuthentications say of a namespace. Depends on those of the namespace and of the root namespace."""
    root = mesh.root_namespace(db)
    mode = MutualTLSMode.UNSET
    declared = False
    workloads: tuple[WorkloadPolicy, ...] = ()
    for wide in dict.fromkeys((root, namespace)):
        policies = _oldest_first(db, wide)
        general = next((policy for policy in policies if not _selector(policy)), None)
        if general is not None:
            declared = True
            mode = _inherited(general.spec.mtls, mode)
        if wide == namespace != root:
            workloads = tuple(_workload_policy(policy, mode) for policy in policies if _selector(policy))
    return PeerPolicies(_or_permissive(mode), declared, workloads)


def mutual_tls_mode(db: Reader, namespace: str, labels: Mapping[str, str] | Labels, port: int) -> MutualTLSMode:
    """What a workload asks of its callers on one of its own ports; never UNSET.

    Reads one query per namespace: whoever asks for many workloads of a namespace does well to hold `peer_policies`.
    """
    return peer_policies(db, namespace).of_port(labels, port)


@query
def namespace_mode(db: Reader, namespace: str) -> MutualTLSMode:
    """What a namespace asks as a whole: what clients go by for a service, whose workloads may differ."""
    return peer_policies(db, namespace).mode


def _oldest_first(db: Reader, namespace: str) -> list[Object[PeerAuthentication]]:
    found: Iterable[Object[PeerAuthentication] | None] = (
        PEER_AUTHENTICATIONS.get(db, key) for key in PEER_AUTHENTICATIONS.where(db, "namespace", namespace)
    )
    return sorted((policy for policy in found if policy is not None), key=lambda policy: policy.age)


def _selector(policy: Object[PeerAuthentication]) -> Labels:
    selector = policy.spec.selector
    return tuple(sorted(selector.match_labels.items())) if selector is not None else ()


def _workload_policy(policy: Object[PeerAuthentication], wider: MutualTLSMode) -> WorkloadPolicy:
    mode = _inherited(policy.spec.mtls, wider)
    ports = tuple(
        (int(port), _or_permissive(_inherited(mtls, mode)))
        for port, mtls in sorted(policy.spec.port_level_mtls.items(), key=lambda item: int(item[0]))
    )
    return WorkloadPolicy(policy.key, _selector(policy), _or_permissive(mode), ports)


def _inherited(mtls: MutualTLS | None, wider: MutualTLSMode) -> MutualTLSMode:
    return wider if mtls is None or mtls.mode is MutualTLSMode.UNSET else mtls.mode


def _or_permissive(mode: MutualTLSMode) -> MutualTLSMode:
    return MutualTLSMode.PERMISSIVE if mode is MutualTLSMode.UNSET else mode
