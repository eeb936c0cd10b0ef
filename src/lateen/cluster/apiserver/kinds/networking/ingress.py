"""Ingresses and IngressClasses: stored; a controller that somebody installs acts on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import fill, indexed, mapping, number, objects, section, text
from lateen.cluster.apiserver.kinds.immutability import unchanged
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, annotations_of, name_of
from lateen.cluster.status import Cause, forbidden_field, invalid_value, not_supported, required

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"


class Ingress(BuiltinKind):
    counts_generations = True

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {"loadBalancer": {}}

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found: list[Cause] = []
        if not objects(spec, "rules") and not isinstance(spec.get("defaultBackend"), dict):
            found.append(invalid_value("spec", spec, "either `defaultBackend` or `rules` must be specified"))
        if isinstance(spec.get("defaultBackend"), dict):
            found += _validate_backend(spec["defaultBackend"], "spec.defaultBackend")
        class_name = spec.get("ingressClassName")
        if class_name is not None:
            if _CLASS_ANNOTATION in annotations_of(obj):
                path = f"metadata.annotations[{_CLASS_ANNOTATION}]"
                detail = "can not be set when the class field is also set"
                found.append(invalid_value(path, annotations_of(obj)[_CLASS_ANNOTATION], detail))
            found += [invalid_value("spec.ingressClassName", class_name, e) for e in names.dns_subdomain(class_name)]
        for at, rule in indexed(spec, "rules", "spec"):
            found += _validate_host(text(rule, "host"), f"{at}.host")
            http = rule.get("http")
            if isinstance(http, dict):
                if not objects(http, "paths"):
                    found.append(required(f"{at}.http.paths"))
                for path_at, http_path in indexed(http, "paths", f"{at}.http"):
                    found += _validate_path(http_path, path_at)
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def warnings(self, obj: Obj) -> Sequence[str]:
        if _CLASS_ANNOTATION in annotations_of(obj):
            return (f"annotation \"{_CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead",)
        return ()

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Class"),
            Column("Hosts"),
            Column("Address"),
            Column("Ports"),
            Column("Age"),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec = mapping(obj, "spec")
        class_name = text(spec, "ingressClassName") or annotations_of(obj).get(_CLASS_ANNOTATION) or "<none>"
        addresses = objects(mapping(mapping(obj, "status"), "loadBalancer"), "ingress")
        return [
            name_of(obj),
            class_name,
            _format_hosts(objects(spec, "rules")),
            ",".join(text(address, "ip") or text(address, "hostname") for address in addresses),
            "80, 443" if objects(spec, "tls") else "80",
            age_of(obj, now),
        ]


def _validate_host(host: str, path: str) -> list[Cause]:
    if not host:
        return []
    if not names.ip_address(host):
        return [invalid_value(path, host, "must be a DNS name, not an IP address")]
    rule = names.wildcard_subdomain if "*" in host else names.dns_subdomain
    return [invalid_value(path, host, e) for e in rule(host)]


def _validate_path(path: Obj, at: str) -> list[Cause]:
    found = []
    kind, where = text(path, "pathType"), text(path, "path")
    if not kind:
        found.append(required(f"{at}.pathType", "pathType must be specified"))
    elif kind not in _PATH_TYPES:
        found.append(not_supported(f"{at}.pathType", kind, _PATH_TYPES))
    elif kind in ("Exact", "Prefix"):
        if not where.startswith("/"):
            found.append(invalid_value(f"{at}.path", where, "must be an absolute path"))
        for part in ("//", "/./", "/../", "%2f", "%2F"):
            if part in where:
                found.append(invalid_value(f"{at}.path", where, f"must not contain '{part}'"))
    elif where and not where.startswith("/"):
        found.append(invalid_value(f"{at}.path", where, "must be an absolute path"))
    return found + _validate_backend(mapping(path, "backend"), f"{at}.backend")


def _validate_backend(backend: Obj, path: str) -> list[Cause]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid_value(path, "", "cannot set both resource and service backends")]
    if isinstance(resource, dict):
        return [required(f"{path}.resource.{field}") for field in ("kind", "name") if not text(resource, field)]
    if not isinstance(service, dict):
        return [required(path, "must specify a service or resource")]
    found = []
    name, port = text(service, "name"), mapping(service, "port")
    if not name:
        found.append(required(f"{path}.service.name"))
    else:
        found += [invalid_value(f"{path}.service.name", name, e) for e in names.dns_1035_label(name)]
    if text(port, "name") and number(port, "number"):
        found.append(invalid_value(path, "", "cannot set both port name & port number"))
    elif text(port, "name"):
        found += [invalid_value(f"{path}.service.port.name", port["name"], e) for e in names.port_name(port["name"])]
    elif number(port, "number"):
        value = port["number"]
        found += [invalid_value(f"{path}.service.port.number", value, e) for e in names.port_number(value)]
    else:
        found.append(required(path, "port name or number is required"))
    return found


def _format_hosts(rules: list[Obj]) -> str:
    hosts = [text(rule, "host") for rule in rules if text(rule, "host")]
    if not hosts:
        return "*"
    return ",".join(hosts[:3]) + (f" + {len(hosts) - 3} more..." if len(hosts) > 3 else "")


class IngressClass(BuiltinKind):
    counts_generations = True

    def default(self, obj: Obj) -> None:
        parameters = mapping(section(obj, "spec"), "parameters")
        if parameters:
            fill(parameters, scope="Cluster")

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found = []
        controller = text(spec, "controller")
        if not controller:
            found.append(required("spec.controller"))
        elif "/" not in controller:
            detail = 'must be a domain-prefixed path (such as "acme.io/foo")'
            found.append(invalid_value("spec.controller", controller, detail))
        parameters = mapping(spec, "parameters")
        if parameters.get("scope") == "Cluster" and parameters.get("namespace") is not None:
            detail = "`parameters.scope` is set to 'Cluster'"
            found.append(forbidden_field("spec.parameters.namespace", detail))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        found = unchanged(mapping(obj, "spec"), mapping(old, "spec"), "controller", path="spec")
        return [*found, *self.validate_create(obj, ctx)]

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Controller"), Column("Parameters"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec = mapping(obj, "spec")
        parameters = mapping(spec, "parameters")
        shown = "<none>"
        if parameters:
            kind = ".".join(filter(None, (text(parameters, "kind"), text(parameters, "apiGroup"))))
            shown = f"{kind}/{text(parameters, 'name')}"
        return [name_of(obj), text(spec, "controller"), shown, age_of(obj, now)]
