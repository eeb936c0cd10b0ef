"""Services."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.core.service_allocation import ServiceAllocator
from lateen.cluster.apiserver.kinds.core.service_validation import (
    is_external,
    needs_health_check_port,
    needs_node_ports,
    validate_service,
    validate_service_update,
)
from lateen.cluster.apiserver.kinds.core.unsupported_fields import Unsupported, ignored_warnings
from lateen.cluster.apiserver.kinds.fields import fill, mapping, number, objects, section, strings, text
from lateen.cluster.apiserver.kinds.label_selectors import format_labels
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.resource import Resource
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.layout import Layout
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause

if TYPE_CHECKING:
    from lateen.cluster.apiserver.store.store import Store

_AFFINITY_SECONDS = 10800
_IGNORED = (Unsupported("trafficDistribution", "traffic goes to all endpoints alike"),)


class Service(BuiltinKind):
    """Draws its addresses and ports from the layout's ranges; the allocator is built from the store on first use."""

    created_by_update = True

    def __init__(self, resource: Resource, schema: Schema, layout: Layout) -> None:
        super().__init__(resource, schema)
        self._layout = layout
        self._allocator: ServiceAllocator | None = None

    def validate_name(self, name: str) -> list[str]:
        return names.dns_1035_label(name)

    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        fill(spec, sessionAffinity="None", type="ClusterIP")
        if spec["sessionAffinity"] == "None":
            spec.pop("sessionAffinityConfig", None)
        elif spec["sessionAffinity"] == "ClientIP":
            client = section(section(spec, "sessionAffinityConfig"), "clientIP")
            fill(client, timeoutSeconds=_AFFINITY_SECONDS)
        for port in objects(spec, "ports"):
            fill(port, protocol="TCP")
            if not port.get("targetPort"):
                port["targetPort"] = port.get("port")
        if is_external(spec):
            fill(spec, externalTrafficPolicy="Cluster")
        if spec["type"] in ("ClusterIP", "NodePort", "LoadBalancer"):
            fill(spec, internalTrafficPolicy="Cluster")
        if spec["type"] == "LoadBalancer":
            fill(spec, allocateLoadBalancerNodePorts=True)

    def warnings(self, obj: Obj) -> Sequence[str]:
        return ignored_warnings(mapping(obj, "spec"), _IGNORED, "spec")

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {"loadBalancer": {}}

    def prepare_update(self, obj: Obj, old: Obj, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        spec, before = section(obj, "spec"), mapping(old, "spec")
        _normalize_addresses(spec, before)
        _keep_allocated(spec, before)
        _drop_unneeded(spec, before)
        if before.get("type") == "LoadBalancer" != spec.get("type"):
            obj["status"] = {"loadBalancer": {}}

    async def allocate(self, obj: Obj, old: Obj | None, store: Store, dry_run: bool) -> Callable[[], None] | None:
        if self._allocator is None:
            self._allocator = ServiceAllocator(self._layout, store)
        return self._allocator.allocate(obj, old, dry_run)

    def released(self, obj: Obj) -> None:
        if self._allocator is not None:
            self._allocator.release(obj)

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        return validate_service(obj)

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return validate_service_update(obj, old)

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        spec = mapping(obj, "spec")
        return {"spec.clusterIP": text(spec, "clusterIP"), "spec.type": text(spec, "type")}

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Type"),
            Column("Cluster-IP"),
            Column("External-IP"),
            Column("Port(s)"),
            Column("Age"),
            Column("Selector", priority=1),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec = mapping(obj, "spec")
        cluster_ip = text(spec, "clusterIP")
        return [
            name_of(obj),
            text(spec, "type"),
            cluster_ip or "<none>",
            _external_address(obj),
            _format_ports(spec),
            age_of(obj, now),
            format_labels(mapping(spec, "selector")),
        ]


def _normalize_addresses(spec: Obj, before: Obj) -> None:
    """`clusterIP` and `clusterIPs` say the same; who changes or clears one of them means both."""
    if text(spec, "clusterIP") != text(before, "clusterIP") and spec.get("clusterIPs") == before.get("clusterIPs"):
        if text(spec, "clusterIP"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        else:
            spec.pop("clusterIPs", None)


def _keep_allocated(spec: Obj, before: Obj) -> None:
    """What was allocated stays when an update leaves it out."""
    if "ExternalName" not in (spec.get("type"), before.get("type")):
        if not text(spec, "clusterIP") and not strings(spec, "clusterIPs"):
            for field in ("clusterIP", "clusterIPs"):
                if field in before:
                    spec[field] = before[field]
        elif not strings(spec, "clusterIPs") and text(spec, "clusterIP") == text(before, "clusterIP"):
            spec["clusterIPs"] = list(strings(before, "clusterIPs"))
        for field in ("ipFamilyPolicy", "ipFamilies"):
            if not spec.get(field) and field in before:
                spec[field] = before[field]
    if needs_node_ports(spec) and needs_node_ports(before):
        held = {(number(p, "port"), text(p, "protocol")): number(p, "nodePort") for p in objects(before, "ports")}
        wanted = {number(port, "nodePort") for port in objects(spec, "ports")}
        for port in objects(spec, "ports"):
            node = held.get((number(port, "port"), text(port, "protocol")), 0)
            if not number(port, "nodePort") and node and node not in wanted:
                port["nodePort"] = node
    if needs_health_check_port(spec) and needs_health_check_port(before):
        fill(spec, healthCheckNodePort=before.get("healthCheckNodePort"))


def _drop_unneeded(spec: Obj, before: Obj) -> None:
    """A change of type drops what the old type had, where the author did not set it anew."""

    def drop(*fields: str) -> None:
        for field in fields:
            if spec.get(field) == before.get(field):
                spec.pop(field, None)

    if spec.get("type") == "ExternalName" != before.get("type"):
        drop("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
    if needs_node_ports(before) and not needs_node_ports(spec):
        held = {number(port, "nodePort") for port in objects(before, "ports")}
        if all(number(port, "nodePort") in held or not port.get("nodePort") for port in objects(spec, "ports")):
            for port in objects(spec, "ports"):
                port.pop("nodePort", None)
    if is_external(before) and not is_external(spec):
        drop("externalTrafficPolicy")
    if needs_health_check_port(before) and not needs_health_check_port(spec):
        drop("healthCheckNodePort")
    if before.get("type") == "LoadBalancer" != spec.get("type"):
        drop("allocateLoadBalancerNodePorts", "loadBalancerClass")
    if before.get("type") == "ExternalName" != spec.get("type"):
        drop("externalName")


def _external_address(service: Obj) -> str:
    spec = mapping(service, "spec")
    external = strings(spec, "externalIPs")
    match text(spec, "type"):
        case "ExternalName":
            return text(spec, "externalName")
        case "LoadBalancer":
            ingress = objects(mapping(mapping(service, "status"), "loadBalancer"), "ingress")
            given = [text(entry, "ip") or text(entry, "hostname") for entry in ingress]
            return ",".join([*filter(None, given), *external]) or "<pending>"
    return ",".join(external) or "<none>"


def _format_ports(spec: Obj) -> str:
    shown = []
    for port in objects(spec, "ports"):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{number(port, 'port')}{node}/{text(port, 'protocol')}")
    return ",".join(shown) or "<none>"
