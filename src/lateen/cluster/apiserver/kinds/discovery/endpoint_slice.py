"""EndpointSlices."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import fill, objects, strings, text
from lateen.cluster.apiserver.kinds.immutability import unchanged
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import Cause, duplicate, invalid_value, not_supported, required

_TYPES = ("FQDN", "IPv4", "IPv6")
_MAX_ENDPOINTS = 1000
_MAX_PORTS = 100
_SHOWN = 3


class EndpointSlice(BuiltinKind):
    counts_generations = True

    def default(self, obj: Obj) -> None:
        for port in objects(obj, "ports"):
            fill(port, name="", protocol="TCP")

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        kind = text(obj, "addressType")
        found: list[Cause] = []
        if not kind:
            found.append(required("addressType"))
        elif kind not in _TYPES:
            found.append(not_supported("addressType", kind, _TYPES))
        for field, most in (("endpoints", _MAX_ENDPOINTS), ("ports", _MAX_PORTS)):
            count = len(objects(obj, field))
            if count > most:
                detail = f"Too many: {count}: must have at most {most} items"
                found.append(Cause("FieldValueTooMany", detail, field))
        for i, endpoint in enumerate(objects(obj, "endpoints")):
            found += _validate_endpoint(endpoint, kind, f"endpoints[{i}]")
        seen: set[str] = set()
        for i, port in enumerate(objects(obj, "ports")):
            name, at = text(port, "name"), f"ports[{i}]"
            if name in seen:
                found.append(duplicate(f"{at}.name", name))
            seen.add(name)
            if name:
                found += [invalid_value(f"{at}.name", name, e) for e in names.dns_label(name)]
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return [*unchanged(obj, old, "addressType"), *self.validate_create(obj, ctx)]

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("AddressType"),
            Column("Ports"),
            Column("Endpoints"),
            Column("Age"),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        ports = [str(port["port"]) if port.get("port") is not None else "*" for port in objects(obj, "ports")]
        addresses = [a for endpoint in objects(obj, "endpoints") for a in strings(endpoint, "addresses")]
        return [
            name_of(obj),
            text(obj, "addressType"),
            _some(ports, "<unset>"),
            _some(addresses, "<unset>"),
            age_of(obj, now),
        ]


def _validate_endpoint(endpoint: Obj, kind: str, path: str) -> list[Cause]:
    addresses = strings(endpoint, "addresses")
    if not addresses:
        return [required(f"{path}.addresses", "must contain at least 1 address")]
    found = []
    for i, address in enumerate(addresses):
        at = f"{path}.addresses[{i}]"
        if kind == "FQDN":
            found += [invalid_value(at, address, e) for e in names.dns_subdomain(address)]
        elif names.ip_address(address) or f"IPv{ipaddress.ip_address(address).version}" != kind:
            found.append(invalid_value(at, address, f"must be a valid {kind} address"))
    return found


def _some(values: list[str], none: str) -> str:
    if not values:
        return none
    more = f" + {len(values) - _SHOWN} more..." if len(values) > _SHOWN else ""
    return ",".join(values[:_SHOWN]) + more
