"""Endpoints."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import fill, indexed, number, objects, text
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, invalid_value, required

_SHOWN = 3


class Endpoints(BuiltinKind):
    created_by_update = True

    deprecation = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"

    def default(self, obj: Obj) -> None:
        for subset in objects(obj, "subsets"):
            for port in objects(subset, "ports"):
                fill(port, protocol="TCP")

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        found = []
        for i, subset in enumerate(objects(obj, "subsets")):
            path = f"subsets[{i}]"
            if not objects(subset, "addresses") and not objects(subset, "notReadyAddresses"):
                found.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
            for field in ("addresses", "notReadyAddresses"):
                for at, address in indexed(subset, field, path):
                    ip = text(address, "ip")
                    found += [invalid_value(f"{at}.ip", ip, e) for e in names.ip_address(ip)]
            ports = indexed(subset, "ports", path)
            for at, port in ports:
                if not text(port, "name") and len(ports) > 1:
                    found.append(required(f"{at}.name"))
                found += [
                    invalid_value(f"{at}.port", number(port, "port"), e)
                    for e in names.port_number(number(port, "port"))
                ]
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate_create(obj, ctx)

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Endpoints"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [name_of(obj), _format(obj), age_of(obj, now)]


def _format(endpoints: Obj) -> str:
    shown = []
    for subset in objects(endpoints, "subsets"):
        ips = [text(address, "ip") for address in objects(subset, "addresses")]
        ports = [number(port, "port") for port in objects(subset, "ports")]
        shown += [_join(ip, port) for port in ports for ip in ips] if ports else ips
    if not shown:
        return "<none>"
    more = f" + {len(shown) - _SHOWN} more..." if len(shown) > _SHOWN else ""
    return ",".join(shown[:_SHOWN]) + more


def _join(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
