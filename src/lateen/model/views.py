"""The views of a proxy: the least that is left of it without changing its configuration.

What is left out does not split: a thousand sidecars of a namespace share one outbound view unless something in the mesh
tells them apart. What tells them apart is asked of small queries, so that an edit elsewhere changes no view.
"""

from __future__ import annotations

import msgspec

from lateen.api.networking.envoy_filter import PatchContext
from lateen.api.networking.sidecar import CaptureMode, IstioIngressListener
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.endpoint import Locality
from lateen.model.envoy_filters import selected_filters
from lateen.model.inputs import DESTINATION_RULES, MESH_CONFIG, SIDECARS
from lateen.model.localities import node_locality
from lateen.model.networks import network_of
from lateen.model.proxy import (
    GatewayView,
    Generator,
    GrpcClientView,
    GrpcServerView,
    InboundView,
    Interception,
    Labels,
    OutboundView,
    Proxy,
    Role,
    View,
)
from lateen.model.selecting_labels import (
    authentication_labels,
    authorization_labels,
    gateway_labels,
    priority_labels,
    projected,
    rule_labels,
    source_labels,
)
from lateen.model.sidecars import sidecar_of
from lateen.model.visibility import all_candidates
from lateen.model.workload_endpoints import MESH_TLS, TLS_MODE_LABEL
from lateen.model.workloads import WorkloadFacts, selector_labels, target_port_names, workload_of, written_endpoints

_OWN_ADDRESS = ("0.0.0.0:", "[::]:")
"""Sidecar ingress `defaultEndpoint`s that mean the workload's own address."""


def views_of(db: Reader, proxy: Proxy) -> tuple[View, ...]:
    """A sidecar has an outbound and an inbound view, a gateway one of its own; a waypoint has none yet. A gRPC
    application without a proxy has a view as a client and one as a server.

    Where the platform knows the workload (its pod or WorkloadEntry), labels, account and node are the platform's.
    """
    facts = workload_of(db, proxy) or WorkloadFacts(proxy.labels, proxy.service_account, proxy.node)
    proxy = msgspec.structs.replace(proxy, labels=facts.labels)
    if proxy.generator is Generator.GRPC:
        return grpc_views(db, proxy, facts) if proxy.role is Role.SIDECAR else ()
    if proxy.role is Role.SIDECAR:
        sidecar = sidecar_of(db, proxy.namespace, facts.labels)
        return outbound_view(db, proxy, facts, sidecar), inbound_view(db, proxy, facts, sidecar)
    if proxy.role is Role.ROUTER:
        return (gateway_view(db, proxy, facts),)
    return ()


def grpc_views(db: Reader, proxy: Proxy, facts: WorkloadFacts) -> tuple[GrpcClientView, GrpcServerView]:
    """The views of an application without a proxy. What patches Envoys does not reach it."""
    sidecar = sidecar_of(db, proxy.namespace, facts.labels)
    outbound, inbound = outbound_view(db, proxy, facts, sidecar), inbound_view(db, proxy, facts, sidecar)
    inbound = msgspec.structs.replace(inbound, patches=(), addresses=proxy.addresses)
    declared = (TLS_MODE_LABEL, MESH_TLS) in facts.labels
    return GrpcClientView(msgspec.structs.replace(outbound, patches=())), GrpcServerView(inbound, declared)


def outbound_view(db: Reader, proxy: Proxy, facts: WorkloadFacts, sidecar: Key | None) -> OutboundView:
    """What tells apart the outbound configurations of sidecars."""
    return OutboundView(
        namespace=proxy.namespace,
        labels=projected(facts.labels, *_client_labels(db, proxy.namespace)),
        sidecar=sidecar,
        locality=_locality(db, proxy, facts),
        network=_network(db, proxy, facts.labels),
        cluster_id=proxy.cluster_id,
        node=_node(db, facts),
        traits=proxy.traits,
        patches=selected_filters(db, proxy, facts.labels, PatchContext.SIDECAR_OUTBOUND),
        secrets=proxy.secrets,
    )


def inbound_view(db: Reader, proxy: Proxy, facts: WorkloadFacts, sidecar: Key | None) -> InboundView:
    """What tells apart the inbound configurations of sidecars."""
    referred = target_port_names(db, proxy.namespace)
    return InboundView(
        namespace=proxy.namespace,
        labels=projected(
            facts.labels,
            selector_labels(db, proxy.namespace),
            authentication_labels(db, proxy.namespace),
            authorization_labels(db, proxy.namespace),
        ),
        service_account=facts.service_account,
        sidecar=sidecar,
        cluster_id=proxy.cluster_id,
        network=_network(db, proxy, facts.labels),
        traits=proxy.traits,
        addresses=proxy.addresses if _addresses_matter(db, proxy, sidecar) else (),
        named_ports=tuple(port for port in facts.named_ports if port[0] in referred),
        port_overrides=facts.port_overrides,
        patches=selected_filters(db, proxy, facts.labels, PatchContext.SIDECAR_INBOUND),
    )


def gateway_view(db: Reader, proxy: Proxy, facts: WorkloadFacts) -> GatewayView:
    """What tells apart the configurations of gateways."""
    return GatewayView(
        namespace=proxy.namespace,
        labels=projected(
            facts.labels,
            gateway_labels(db),
            selector_labels(db, proxy.namespace),
            authorization_labels(db, proxy.namespace),
            *_client_labels(db, proxy.namespace),
        ),
        service_account=facts.service_account,
        locality=_locality(db, proxy, facts),
        network=_network(db, proxy, facts.labels),
        cluster_id=proxy.cluster_id,
        node=_node(db, facts),
        traits=proxy.traits,
        patches=selected_filters(db, proxy, facts.labels, PatchContext.GATEWAY),
        secrets=proxy.secrets,
    )


def _client_labels(db: Reader, namespace: str) -> tuple[frozenset[str], ...]:
    return source_labels(db), rule_labels(db, namespace), priority_labels(db)


def _locality(db: Reader, proxy: Proxy, facts: WorkloadFacts) -> Locality:
    if not locality_matters(db):
        return Locality()
    if proxy.locality != Locality() or not facts.node:
        return proxy.locality
    return node_locality(db, Key("", facts.node, facts.key.cluster if facts.key is not None else ""))


def _network(db: Reader, proxy: Proxy, labels: Labels) -> str:
    address = proxy.addresses[0] if proxy.addresses else ""
    return proxy.network or network_of(db, proxy.cluster_id, address, dict(labels))


def _node(db: Reader, facts: WorkloadFacts) -> str:
    return facts.node if node_matters(db) else ""


def _addresses_matter(db: Reader, proxy: Proxy, sidecar: Key | None) -> bool:
    return (
        proxy.traits.interception is Interception.NONE
        or (sidecar is not None and _sidecar_binds(db, sidecar))
        or bool(written_endpoints(db, proxy.namespace))
    )


@query
def locality_matters(db: Reader) -> bool:
    """Whether anything in the mesh prefers near endpoints: a DestinationRule that detects outliers or says how to
    spread over localities, the mesh's default distribution, or a service."""
    setting = MESH_CONFIG.get(db).locality_lb_setting
    return (
        bool(setting is not None and (setting.distribute or setting.failover_priority))
        or any(DESTINATION_RULES.where(db, "nearness", reason) for reason in ("locality", "outliers"))
        or any(one.nearness.startswith("Prefer") for one in all_candidates(db))
    )


@query
def node_matters(db: Reader) -> bool:
    """Whether some service wants its clients' own node."""
    return any(one.nearness in ("Node", "PreferSameNode") for one in all_candidates(db))


@query
def _sidecar_binds(db: Reader, key: Key) -> bool:
    """Whether a Sidecar's ingress listeners depend on the workload's addresses."""
    found = SIDECARS.get(db, key)
    return found is not None and any(_is_bound(listener) for listener in found.spec.ingress)


def _is_bound(listener: IstioIngressListener) -> bool:
    return (
        bool(listener.bind)
        or listener.capture_mode is CaptureMode.NONE
        or listener.default_endpoint.startswith(_OWN_ADDRESS)
    )
