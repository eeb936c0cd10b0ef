"""NetworkPolicies: stored and validated, not enforced, which every writer is told."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import fill, indexed, mapping, objects, section, strings, text
from lateen.cluster.apiserver.kinds.label_selectors import format_label_selector, validate_label_selector
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, forbidden_field, invalid_value, not_supported, required

_NOT_ENFORCED = "this cluster stores NetworkPolicies but does not enforce them"


class NetworkPolicy(BuiltinKind):
    counts_generations = True

    def default(self, obj: Obj) -> None:
        spec = section(obj, "spec")
        section(spec, "podSelector")
        for direction in ("ingress", "egress"):
            for rule in objects(spec, direction):
                for port in objects(rule, "ports"):
                    fill(port, protocol="TCP")
        if not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found = validate_label_selector(mapping(spec, "podSelector"), "spec.podSelector")
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for at, rule in indexed(spec, direction, "spec"):
                for port_at, port in indexed(rule, "ports", at):
                    found += _validate_port(port, port_at)
                for peer_at, peer in indexed(rule, peers, at):
                    found += _validate_peer(peer, peer_at)
        types = strings(spec, "policyTypes")
        if len(types) > 2:
            found.append(invalid_value("spec.policyTypes", types, "may not specify more than two policyTypes"))
        for i, kind in enumerate(types):
            if kind not in ("Ingress", "Egress"):
                found.append(not_supported(f"spec.policyTypes[{i}]", kind, ["Egress", "Ingress"]))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def warnings(self, obj: Obj) -> Sequence[str]:
        return (_NOT_ENFORCED,)

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Pod-Selector"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        selector = format_label_selector(mapping(mapping(obj, "spec"), "podSelector"))
        return [name_of(obj), selector, age_of(obj, now)]


def _validate_port(port: Obj, path: str) -> list[Cause]:
    found = []
    value, end = port.get("port"), port.get("endPort")
    if port.get("protocol") not in ("TCP", "UDP", "SCTP"):
        found.append(not_supported(f"{path}.protocol", port.get("protocol"), ["SCTP", "TCP", "UDP"]))
    if isinstance(value, int):
        found += [invalid_value(f"{path}.port", value, e) for e in names.port_number(value)]
        if end is not None and end < value:
            found.append(invalid_value(f"{path}.endPort", end, "must be greater than or equal to `port`"))
    elif value is not None:
        found += [invalid_value(f"{path}.port", value, e) for e in names.port_name(str(value))]
        if end is not None:
            detail = "may not be specified when `port` is non-numeric"
            found.append(invalid_value(f"{path}.endPort", end, detail))
    elif end is not None:
        found.append(invalid_value(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    return found


def _validate_peer(peer: Obj, path: str) -> list[Cause]:
    found = []
    given = 0
    for field in ("podSelector", "namespaceSelector"):
        if isinstance(peer.get(field), dict):
            given += 1
            found += validate_label_selector(peer[field], f"{path}.{field}")
    block = peer.get("ipBlock")
    if isinstance(block, dict):
        if given:
            found.append(forbidden_field(path, "may not specify both ipBlock and another peer"))
        given += 1
        found += _validate_block(block, f"{path}.ipBlock")
    return found if given else [*found, required(path, "must specify a peer")]


def _validate_block(block: Obj, path: str) -> list[Cause]:
    whole = text(block, "cidr")
    if not whole:
        return [required(f"{path}.cidr")]
    found = [invalid_value(f"{path}.cidr", whole, e) for e in names.cidr(whole)]
    if found:
        return found
    network = ipaddress.ip_network(whole, strict=False)
    for i, hole in enumerate(strings(block, "except")):
        at = f"{path}.except[{i}]"
        errors = [invalid_value(at, hole, e) for e in names.cidr(hole)]
        found += errors
        if errors:
            continue
        inner = ipaddress.ip_network(hole, strict=False)
        if inner.network_address not in network or inner.prefixlen <= network.prefixlen:
            found.append(invalid_value(at, hole, f"must be a strict subset of `cidr` {whole}"))
    return found
