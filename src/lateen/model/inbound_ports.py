"""The ports on which a sidecar takes traffic for its workload: those of its services, or of its Sidecar's `ingress`."""

from __future__ import annotations

import msgspec

from lateen.api.networking.gateway import ServerTLSSettings
from lateen.api.networking.sidecar import CaptureMode, IstioIngressListener
from lateen.api.objects import Key
from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.engine import Reader, query
from lateen.model.gateways import OWN_CERTIFICATE
from lateen.model.inputs import SIDECARS
from lateen.model.listen_form import listen_form
from lateen.model.peer_authentication import peer_policies
from lateen.model.protocol import Protocol, declared_protocol
from lateen.model.proxy import InboundView, Interception
from lateen.model.service import ServiceKey
from lateen.model.workloads import WorkloadPort, workload_ports

_LOWEST_PORT = 1024


class InboundPort(msgspec.Struct, frozen=True, cache_hash=True):
    """One port on which traffic for the workload is taken."""

    number: int
    """Of the workload, as it is connected to."""
    protocol: Protocol
    mode: MutualTLSMode
    """What is asked of callers."""
    service_port: int
    """Of the service it is for; the same as `number` where there is none."""
    hostname: str
    """Of that service; of a Sidecar's port, the Sidecar's name and namespace."""
    addresses: tuple[str, ...]
    binds: bool
    """Has a listener of its own; otherwise it is a part of the one that redirected connections come to."""
    service: ServiceKey | None = None
    """None for a Sidecar's port."""
    tls: ServerTLSSettings | None = None
    """TLS for clients outside of the mesh, which the proxy terminates."""
    sidecar: Key | None = None
    """The Sidecar that it is from."""


class InboundPlan(msgspec.Struct, frozen=True):
    ports: tuple[InboundPort, ...]
    """Sorted by number."""
    mode: MutualTLSMode
    """What is asked of callers on all other ports."""
    other_modes: tuple[tuple[int, MutualTLSMode], ...]
    """Other ports of which something else is asked, sorted."""


class InboundConflict(msgspec.Struct, frozen=True):
    """A service whose protocol for a workload's port is not the one that counts."""

    service: ServiceKey
    number: int
    other: ServiceKey


@query
def inbound_plan(db: Reader, view: InboundView) -> InboundPlan:
    """What a sidecar listens for on behalf of its workload."""
    ports = _ingress_ports(db, view)
    if ports is None:
        ports = _service_ports(db, view) if view.traits.interception is not Interception.NONE else {}
    own = peer_policies(db, view.namespace).of(view.labels)
    others = [number for number, _ in own.ports if number not in ports] if own is not None else []
    return InboundPlan(
        tuple(ports[number] for number in sorted(ports)),
        _mode(db, view, 0),
        tuple((number, _mode(db, view, number)) for number in others),
    )


def _mode(db: Reader, view: InboundView, port: int) -> MutualTLSMode:
    """What is asked of callers of a port. A proxy without certificates cannot offer TLS to those who may do without;
    it does not do without where nobody may (STRICT)."""
    mode = peer_policies(db, view.namespace).of_port(view.labels, port)
    if mode is MutualTLSMode.PERMISSIVE and view.traits.certificates is None:
        return MutualTLSMode.DISABLE
    return mode


def _service_ports(db: Reader, view: InboundView) -> dict[int, InboundPort]:
    """Of several services for one port the first decides what it speaks."""
    addresses = listen_form(view.traits, view.cluster_id).wildcards
    found: dict[int, InboundPort] = {}
    for each in workload_ports(db, view):
        if each.number not in found:
            mode = _mode(db, view, each.number)
            found[each.number] = InboundPort(
                each.number,
                each.port.protocol,
                mode,
                each.port.port,
                each.service.hostname,
                addresses,
                binds=False,
                service=each.service,
            )
    return found


def _ingress_ports(db: Reader, view: InboundView) -> dict[int, InboundPort] | None:
    """Those of the Sidecar; None when it has none of its own."""
    sidecar = SIDECARS.get(db, view.sidecar) if view.sidecar is not None else None
    if sidecar is None or not sidecar.spec.ingress:
        return None
    found: dict[int, InboundPort] = {}
    for listener in sidecar.spec.ingress:
        port = _ingress_port(db, view, listener, sidecar.key)
        refused = port.binds and port.number < _LOWEST_PORT and not view.traits.privileged_ports
        if port.number not in found and not refused:
            found[port.number] = port
    return found


def _ingress_port(db: Reader, view: InboundView, listener: IstioIngressListener, sidecar: Key) -> InboundPort:
    number = listener.port.number
    captured = view.traits.interception is not Interception.NONE
    default = listener.capture_mode is CaptureMode.DEFAULT
    protocol = declared_protocol(listener.port.protocol)
    mode = _mode(db, view, number)
    # The mesh's own TLS and the application's cannot be told apart, so the latter takes the former's place.
    tls = listener.tls if mode is MutualTLSMode.DISABLE else None
    if tls is not None and tls.mode not in OWN_CERTIFICATE:
        tls = None
    if tls is not None:
        protocol = _inside_of_tls(protocol)
    return InboundPort(
        number,
        protocol,
        mode,
        number,
        f"{sidecar.name}.{sidecar.namespace}",
        (listener.bind,) if listener.bind else _own_addresses(view),
        binds=not captured if default else listener.capture_mode is CaptureMode.NONE,
        tls=tls,
        sidecar=sidecar,
    )


def _own_addresses(view: InboundView) -> tuple[str, ...]:
    """The workload's own, or all: those that applications bind at loopback are not taken from them."""
    form = listen_form(view.traits, view.cluster_id)
    usable = tuple(each for each in view.addresses if (form.ipv6 if ":" in each else form.ipv4 or not form.ipv6))
    return usable or form.wildcards


def _inside_of_tls(protocol: Protocol) -> Protocol:
    return {Protocol.HTTPS: Protocol.HTTP, Protocol.TLS: Protocol.TCP}.get(protocol, protocol)


def inbound_conflicts(db: Reader, view: InboundView) -> tuple[InboundConflict, ...]:
    """Services that say otherwise than an older one what a workload's port speaks."""
    first: dict[int, WorkloadPort] = {}
    found = []
    for each in workload_ports(db, view):
        other = first.setdefault(each.number, each)
        if other.port.protocol is not each.port.protocol and other.service != each.service:
            found.append(InboundConflict(each.service, each.number, other.service))
    return tuple(found)
