"""The rules of Services.

Source: k8s.io/kubernetes `pkg/apis/core/validation.ValidateService`, `ValidateServiceUpdate`.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.kinds.fields import indexed, mapping, number, objects, strings, text
from lateen.cluster.apiserver.kinds.immutability import unchanged
from lateen.cluster.apiserver.kinds.metadata_validation import validate_labels
from lateen.cluster.objects import Obj
from lateen.cluster.status import Cause, duplicate, forbidden_field, invalid_value, not_supported, required

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_POLICIES = ("Cluster", "Local")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MAX_AFFINITY_SECONDS = 86400


def validate_service(service: Obj) -> list[Cause]:
    spec = mapping(service, "spec")
    kind = text(spec, "type")
    found: list[Cause] = []
    if kind not in TYPES:
        found.append(not_supported("spec.type", kind, TYPES))
    found += validate_labels(mapping(spec, "selector"), "spec.selector")
    if kind == "ExternalName":
        found += _validate_external_name(spec)
    else:
        if not objects(spec, "ports") and text(spec, "clusterIP") != "None":
            found.append(required("spec.ports"))
        found += _validate_cluster_ips(spec)
    if kind == "LoadBalancer" and text(spec, "clusterIP") == "None":
        found.append(invalid_value("spec.clusterIPs[0]", "None", "may not be set to 'None' for LoadBalancer services"))
    if kind == "NodePort" and text(spec, "clusterIP") == "None":
        found.append(invalid_value("spec.clusterIPs[0]", "None", "may not be set to 'None' for NodePort services"))
    found += _validate_ports(spec, kind)
    found += _validate_affinity(spec)
    found += _validate_traffic(spec, kind)
    found += _validate_addresses(spec)
    return found


def validate_service_update(service: Obj, old: Obj) -> list[Cause]:
    spec, before = mapping(service, "spec"), mapping(old, "spec")
    found = []
    if "ExternalName" not in (spec.get("type"), before.get("type")):
        new_ips, old_ips = strings(spec, "clusterIPs"), strings(before, "clusterIPs")
        if old_ips and new_ips[:1] != old_ips[:1]:
            found.append(invalid_value("spec.clusterIPs[0]", new_ips, "may not change once set"))
        new_families, old_families = strings(spec, "ipFamilies"), strings(before, "ipFamilies")
        if old_families and new_families[:1] != old_families[:1]:
            found.append(invalid_value("spec.ipFamilies[0]", new_families, "may not change once set"))
    if spec.get("type") == "LoadBalancer" == before.get("type") and before.get("loadBalancerClass") is not None:
        for cause in unchanged(spec, before, "loadBalancerClass", path="spec"):
            found.append(invalid_value(cause.field, spec.get("loadBalancerClass"), "may not change once set"))
    return found + validate_service(service)


def _validate_external_name(spec: Obj) -> list[Cause]:
    found = []
    if text(spec, "clusterIP"):
        found.append(forbidden_field("spec.clusterIPs", "may not be set for ExternalName services"))
    target = text(spec, "externalName").removesuffix(".")
    if not target:
        found.append(required("spec.externalName"))
    else:
        found += [invalid_value("spec.externalName", target, e) for e in names.dns_subdomain(target)]
    for field in ("ipFamilies", "ipFamilyPolicy"):
        if spec.get(field):
            found.append(forbidden_field(f"spec.{field}", "may not be set for ExternalName services"))
    return found


def _validate_cluster_ips(spec: Obj) -> list[Cause]:
    found = []
    addresses = strings(spec, "clusterIPs")
    if addresses and text(spec, "clusterIP") != addresses[0]:
        found.append(invalid_value("spec.clusterIPs", addresses, "first value must match `clusterIP`"))
    if len(addresses) > 1 and "None" in addresses:
        found.append(invalid_value("spec.clusterIPs[0]", "None", "'None' must be the first and only value"))
    if len(addresses) > 2:
        found.append(invalid_value("spec.clusterIPs", addresses, "may only hold up to 2 values"))
    read = []
    for i, address in enumerate(addresses):
        if address == "None":
            continue
        errors = names.ip_address(address)
        found += [invalid_value(f"spec.clusterIPs[{i}]", address, e) for e in errors]
        if not errors:
            read.append(ipaddress.ip_address(address).version)
    if len(read) == 2 and read[0] == read[1]:
        detail = "may specify no more than one IP for each IP family"
        found.append(invalid_value("spec.clusterIPs", addresses, detail))
    for i, family in enumerate(strings(spec, "ipFamilies")):
        if family not in ("IPv4", "IPv6"):
            found.append(not_supported(f"spec.ipFamilies[{i}]", family, ["IPv4", "IPv6"]))
        elif family in strings(spec, "ipFamilies")[:i]:
            found.append(duplicate(f"spec.ipFamilies[{i}]", family))
    policies = ("SingleStack", "PreferDualStack", "RequireDualStack")
    if spec.get("ipFamilyPolicy") is not None and spec["ipFamilyPolicy"] not in policies:
        found.append(not_supported("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], policies))
    return found


def _validate_ports(spec: Obj, kind: str) -> list[Cause]:
    found = []
    ports = objects(spec, "ports")
    seen_names: set[str] = set()
    seen: set[tuple[int, str]] = set()
    seen_nodes: set[tuple[int, str]] = set()
    for at, port in indexed(spec, "ports", "spec"):
        name, protocol, listen = text(port, "name"), text(port, "protocol"), number(port, "port")
        if not name and len(ports) > 1:
            found.append(required(f"{at}.name"))
        elif name:
            found += [invalid_value(f"{at}.name", name, e) for e in names.dns_label(name)]
            if name in seen_names:
                found.append(duplicate(f"{at}.name", name))
            seen_names.add(name)
        found += [invalid_value(f"{at}.port", listen, e) for e in names.port_number(listen)]
        if protocol not in _PROTOCOLS:
            found.append(not_supported(f"{at}.protocol", protocol, _PROTOCOLS))
        found += _validate_target(port.get("targetPort"), f"{at}.targetPort")
        if port.get("appProtocol"):
            found += [
                invalid_value(f"{at}.appProtocol", port["appProtocol"], e)
                for e in names.qualified_name(port["appProtocol"])
            ]
        if (listen, protocol) in seen:
            found.append(
                Cause("FieldValueDuplicate", f'Duplicate value: {{"port":{listen},"protocol":"{protocol}"}}', at)
            )
        seen.add((listen, protocol))
        node = number(port, "nodePort")
        if node and kind in ("ClusterIP", "ExternalName"):
            found.append(forbidden_field(f"{at}.nodePort", f"may not be used when `type` is '{kind}'"))
        elif node:
            if (node, protocol) in seen_nodes:
                found.append(duplicate(f"{at}.nodePort", node))
            seen_nodes.add((node, protocol))
    return found


def _validate_target(target: Any, path: str) -> list[Cause]:
    if isinstance(target, int):
        return [invalid_value(path, target, e) for e in names.port_number(target)]
    return [invalid_value(path, target, e) for e in names.port_name(str(target or ""))]


def _validate_affinity(spec: Obj) -> list[Cause]:
    found = []
    affinity = text(spec, "sessionAffinity")
    if affinity not in ("ClientIP", "None"):
        found.append(not_supported("spec.sessionAffinity", affinity, ["ClientIP", "None"]))
    config = mapping(spec, "sessionAffinityConfig")
    path = "spec.sessionAffinityConfig"
    if affinity == "ClientIP":
        seconds = number(mapping(config, "clientIP"), "timeoutSeconds")
        if not 0 < seconds <= _MAX_AFFINITY_SECONDS:
            detail = f"must be greater than 0 and less than {_MAX_AFFINITY_SECONDS}"
            found.append(invalid_value(f"{path}.clientIP.timeoutSeconds", seconds, detail))
    elif affinity == "None" and config:
        found.append(forbidden_field(path, "must not be set when session affinity is None"))
    return found


def _validate_traffic(spec: Obj, kind: str) -> list[Cause]:
    found = []
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if is_external(spec):
        if not external:
            found.append(required("spec.externalTrafficPolicy"))
        elif external not in _POLICIES:
            found.append(not_supported("spec.externalTrafficPolicy", external, _POLICIES))
    elif external:
        detail = "may only be set for externally-accessible services"
        found.append(invalid_value("spec.externalTrafficPolicy", external, detail))
    if kind in ("ClusterIP", "NodePort", "LoadBalancer"):
        if internal is None:
            found.append(required("spec.internalTrafficPolicy"))
        elif internal not in _POLICIES:
            found.append(not_supported("spec.internalTrafficPolicy", internal, _POLICIES))
    if number(spec, "healthCheckNodePort") and not needs_health_check_port(spec):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        found.append(invalid_value("spec.healthCheckNodePort", spec["healthCheckNodePort"], detail))
    if kind != "LoadBalancer":
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(field) is not None:
                detail = "may only be used when `type` is 'LoadBalancer'"
                found.append(forbidden_field(f"spec.{field}", detail))
    if spec.get("trafficDistribution") not in (None, "PreferClose"):
        found.append(not_supported("spec.trafficDistribution", spec["trafficDistribution"], ["PreferClose"]))
    return found


def _validate_addresses(spec: Obj) -> list[Cause]:
    found = []
    for i, address in enumerate(strings(spec, "externalIPs")):
        found += [invalid_value(f"spec.externalIPs[{i}]", address, e) for e in names.ip_address(address)]
    for i, source in enumerate(strings(spec, "loadBalancerSourceRanges")):
        found += [invalid_value(f"spec.loadBalancerSourceRanges[{i}]", source, e) for e in names.cidr(source.strip())]
    return found


def is_external(spec: Obj) -> bool:
    """Whether the service can be reached from outside of the cluster."""
    kind = spec.get("type")
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_node_ports(spec: Obj) -> bool:
    if spec.get("type") == "NodePort":
        return True
    return spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False


def needs_health_check_port(spec: Obj) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
