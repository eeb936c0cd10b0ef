"""Findings on Sidecars: selectors that clash or select nothing, and hosts that are nowhere."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lateen.api.networking.sidecar import Sidecar
from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, warning
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.findings.listeners import sidecar_listener_findings
from lateen.model.findings.workload_labels import label_sets, selects_nothing
from lateen.model.inputs import SIDECARS
from lateen.model.mesh import root_namespace
from lateen.model.scope import Imports, imports_of, selected, visibility_of_host
from lateen.model.services import service
from lateen.model.sidecars import sidecar_selectors
from lateen.model.virtual_service_reach import mesh_reaches

NOTHING = "~"
_SEVERAL_WITHOUT_SELECTOR = "IST0111"
_CLASHING_SELECTORS = "IST0110"
_NOT_FOUND = "IST0101"


@query
def sidecar_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """Whether a Sidecar is anyone's, and whether what it names is there."""
    found = SIDECARS.get(db, key)
    if found is None:
        return ()
    return (
        *_selection(db, key),
        *_egress(db, key, found.spec),
        *_egress_proxy(db, key, found.spec),
        *sidecar_listener_findings(db, key),
    )


def _selection(db: Reader, key: Key) -> Iterator[Fault]:
    listed = sidecar_selectors(db, key.namespace)
    own = next((labels for each, labels in listed if each == key), ())
    if not own:
        first = next((each for each, labels in listed if not labels), key)
        if first != key:
            yield _coded(
                "spec.workloadSelector",
                f"is missing, so that the older Sidecar {first.name!r} of this namespace counts instead of this one",
                _SEVERAL_WITHOUT_SELECTOR,
            )
        return
    if selects_nothing(db, key.namespace, own):
        yield _coded("spec.workloadSelector", "selects no workload of this namespace", _NOT_FOUND)
        return
    for each, labels in listed:
        if each == key:
            return
        if labels and any({*own, *labels}.issubset(workload) for workload in label_sets(db, key.namespace)):
            yield _coded(
                "spec.workloadSelector",
                f"selects workloads that the older Sidecar {each.name!r} selects too; for those that one counts",
                _CLASHING_SELECTORS,
            )


def _egress(db: Reader, key: Key, sidecar: Sidecar) -> Iterator[Fault]:
    if key.namespace == root_namespace(db):
        # What `./` means differs from client to client.
        return
    for index, egress in enumerate(sidecar.egress):
        for position, text in enumerate(egress.hosts):
            if text.startswith(f"{NOTHING}/") or text == "*/*":
                continue
            imports = imports_of(msgspec.structs.replace(egress, hosts=(text,)), key.namespace)
            if next(selected(db, imports), None) is None and not _imports_routes(db, imports):
                yield _coded(
                    f"spec.egress[{index}].hosts[{position}]", f"there is no service or route for {text!r}", _NOT_FOUND
                )


def _imports_routes(db: Reader, imports: Imports) -> bool:
    ((source, patterns),) = imports
    return any(
        source in ("*", reach.namespace)
        and any(hosts.overlaps(pattern, name) for pattern in patterns for name in reach.hosts)
        for reach in mesh_reaches(db)
    )


def _egress_proxy(db: Reader, key: Key, sidecar: Sidecar) -> Iterator[Fault]:
    policy = sidecar.outbound_traffic_policy
    proxy = policy.egress_proxy if policy is not None else None
    if proxy is None:
        return
    path = "spec.outboundTrafficPolicy.egressProxy"
    target = visibility_of_host(db, key.namespace, proxy.host)
    found = service(db, target) if target is not None else None
    if found is None:
        yield _coded(f"{path}.host", f"there is no service {proxy.host!r} that this namespace sees", _NOT_FOUND)
    elif proxy.port is not None and found.port(proxy.port.number) is None:
        yield _coded(f"{path}.port", f"{proxy.host} has no port {proxy.port.number}", _NOT_FOUND)


def _coded(path: str, message: str, code: str) -> Fault:
    return msgspec.structs.replace(warning(path, message), code=code)
