"""Findings on ServiceEntries and Sidecars that come of listeners: ports that proxies do not listen on, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, warning
from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.engine import Reader, query
from lateen.model.inputs import SERVICE_ENTRIES, SIDECARS
from lateen.model.listen_form import listen_form
from lateen.model.listeners import ListenerConflict, outbound_plan
from lateen.model.peer_authentication import peer_policies
from lateen.model.protocol import Protocol, declared_protocol
from lateen.model.proxy import Traits
from lateen.model.scope import ScopeKey
from lateen.model.service import ServiceKey


@query
def conflicts_by_service(db: Reader) -> Mapping[ServiceKey, tuple[ListenerConflict, ...]]:
    """The conflicts of the mesh as a sidecar sees it that has nothing of its own."""
    found: dict[ServiceKey, tuple[ListenerConflict, ...]] = {}
    for conflict in outbound_plan(db, ScopeKey("", None), listen_form(Traits(), "")).conflicts:
        found[conflict.service] = (*found.get(conflict.service, ()), conflict)
    return found


def service_entry_listener_findings(db: Reader, key: Key) -> Iterator[Fault]:
    """Ports of a ServiceEntry that sidecars do not listen on."""
    entry = SERVICE_ENTRIES.get(db, key)
    if entry is None:
        return
    by_service = conflicts_by_service(db)
    conflicts = [each for host in entry.spec.hosts for each in by_service.get(ServiceKey(host, key.namespace), ())]
    for index, port in enumerate(entry.spec.ports):
        path = f"spec.ports[{index}]"
        if declared_protocol(port.protocol) is Protocol.UDP:
            yield warning(f"{path}.protocol", "has no effect: proxies let UDP be")
        for conflict in conflicts:
            if conflict.port == port.number:
                yield warning(
                    f"{path}.number", f"is not listened on for {conflict.service.hostname}: {conflict.reason}"
                )


def sidecar_listener_findings(db: Reader, key: Key) -> Iterator[Fault]:
    """Sockets that a Sidecar asks for and cannot have, and TLS that mutual TLS of the mesh stands before."""
    sidecar = SIDECARS.get(db, key)
    if sidecar is None:
        return
    plan = outbound_plan(db, ScopeKey(key.namespace, key), listen_form(Traits(), ""))
    for conflict in plan.conflicts:
        if conflict.other is None:
            yield warning("spec.egress", f"{conflict.service.hostname} is not listened for: {conflict.reason}")
    selector = sidecar.spec.workload_selector
    labels = tuple(sorted(selector.labels.items())) if selector is not None else ()
    for index, listener in enumerate(sidecar.spec.ingress):
        mode = peer_policies(db, key.namespace).of_port(labels, listener.port.number)
        if listener.tls is not None and mode is not MutualTLSMode.DISABLE:
            message = (
                f"has no effect: mutual TLS of the port is {mode.value}; it has to be DISABLE (PeerAuthentication)"
            )
            yield warning(f"spec.ingress[{index}].tls", message)
