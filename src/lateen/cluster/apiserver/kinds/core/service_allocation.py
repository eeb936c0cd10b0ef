"""What the API server hands out to Services: cluster IPs, node ports, health check ports.

Source: k8s.io/kubernetes `pkg/registry/core/service/storage/alloc.go`, dual-stack with IPv4 first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING

from lateen.cluster.apiserver.kinds.core.service_pool import Full, Pool, Taken
from lateen.cluster.apiserver.kinds.core.service_validation import (
    TYPES,
    needs_health_check_port,
    needs_node_ports,
)
from lateen.cluster.apiserver.kinds.fields import indexed, mapping, number, objects, strings, text
from lateen.cluster.layout import Layout
from lateen.cluster.objects import Key, Obj, key_of
from lateen.cluster.status import Cause, StatusError, forbidden_field, internal_error, invalid, invalid_value

if TYPE_CHECKING:
    from lateen.cluster.apiserver.store.store import Store

SERVICES = ("", "services")
FAMILIES = ("IPv4", "IPv6")
NODE_PORTS = (30000, 32767)
_NODE_PORTS_RESERVED = 86
_ADDRESSES_RESERVED = 256


class ServiceAllocator:
    """Built from what the store holds; one per API server."""

    def __init__(self, layout: Layout, store: Store) -> None:
        self._store = store
        self._networks: dict[str, ipaddress.IPv4Network | ipaddress.IPv6Network] = {
            "IPv4": layout.services_ipv4,
            "IPv6": layout.services_ipv6,
        }
        self._addresses = {
            family: Pool(
                int(network.network_address) + 1,
                int(network.broadcast_address) - 1,
                _ADDRESSES_RESERVED,
                self._has_address,
            )
            for family, network in self._networks.items()
        }
        self._ports = Pool(*NODE_PORTS, _NODE_PORTS_RESERVED, self._has_port)
        for service in store.list(SERVICES).items:
            self._settle(service)

    def _has_address(self, key: Key, value: int) -> bool:
        stored = self._store.get(SERVICES, key)
        return stored is not None and value in (int(address) for address in _addresses(stored))

    def _has_port(self, key: Key, value: int) -> bool:
        stored = self._store.get(SERVICES, key)
        return stored is not None and value in _ports(stored)

    def _settle(self, service: Obj) -> None:
        key = key_of(service)
        for address in _addresses(service):
            self._addresses[_family(address)].settle(key, int(address))
        for port in _ports(service):
            self._ports.settle(key, port)

    def release(self, service: Obj) -> None:
        key = key_of(service)
        for address in _addresses(service):
            self._addresses[_family(address)].give_back(key, int(address))
        for port in _ports(service):
            self._ports.give_back(key, port)

    def allocate(self, service: Obj, old: Obj | None, dry_run: bool) -> Callable[[], None] | None:
        """Completes `service` in place. Returns how to give everything back, unless nothing was taken."""
        if old is not None:
            self._settle(old)
        spec = mapping(service, "spec")
        if spec.get("type") not in TYPES:
            return None
        claim = _Claim(service, dry_run)
        try:
            if spec["type"] != "ExternalName":
                _choose_families(service, old)
                self._allocate_addresses(spec, claim)
            self._allocate_ports(spec, claim)
        except BaseException:
            claim.undo()
            raise
        return claim.undo if claim.taken else None

    def _allocate_addresses(self, spec: Obj, claim: _Claim) -> None:
        addresses = strings(spec, "clusterIPs") or [a for a in (text(spec, "clusterIP"),) if a]
        if addresses[:1] == ["None"]:
            spec["clusterIP"], spec["clusterIPs"] = "None", addresses
            return
        families = strings(spec, "ipFamilies")
        for i, family in enumerate(families):
            if family not in self._addresses:
                continue
            pool = self._addresses[family]
            if i < len(addresses):
                self._take_address(addresses[i], family, claim, addresses)
            else:
                value = claim.pick(pool, f"failed to allocate a serviceIP: range is full ({family})")
                addresses.append(str(self._networks[family][value - int(self._networks[family].network_address)]))
        spec["clusterIP"] = addresses[0] if addresses else ""
        spec["clusterIPs"] = addresses

    def _take_address(self, text_: str, family: str, claim: _Claim, addresses: list[str]) -> None:
        try:
            address = ipaddress.ip_address(text_)
        except ValueError:
            return  # validation names it
        if _family(address) != family:
            detail = f"expected an {family} value as indicated by `ipFamilies[{addresses.index(text_)}]`"
            raise claim.refuse(invalid_value(f"spec.clusterIPs[{addresses.index(text_)}]", text_, detail))
        pool = self._addresses[family]
        if int(address) not in pool:
            detail = (
                f"failed to allocate IP {text_}: the provided IP ({text_}) is not in the valid range. "
                f"The range of valid IPs is {self._networks[family]}"
            )
            raise claim.refuse(invalid_value("spec.clusterIPs", addresses, detail))
        try:
            claim.take(pool, int(address))
        except Taken:
            detail = f"failed to allocate IP {text_}: provided IP is already allocated"
            raise claim.refuse(invalid_value("spec.clusterIPs", addresses, detail)) from None

    def _allocate_ports(self, spec: Obj, claim: _Claim) -> None:
        # Ports that were asked for go first, so that none of them is handed to a sibling.
        wanted = indexed(spec, "ports", "spec") if needs_node_ports(spec) else []
        for at, port in wanted:
            if number(port, "nodePort"):
                self._take_port(port["nodePort"], f"{at}.nodePort", claim)
        health = number(spec, "healthCheckNodePort")
        if needs_health_check_port(spec) and health:
            self._take_port(health, "spec.healthCheckNodePort", claim)
        by_number: dict[int, int] = {}
        for _, port in wanted:
            if not number(port, "nodePort"):
                # The same port over TCP and UDP gets the same node port.
                chosen = by_number.get(number(port, "port"))
                port["nodePort"] = chosen or claim.pick(self._ports, "failed to allocate a nodePort: range is full")
            by_number.setdefault(number(port, "port"), port["nodePort"])
        if needs_health_check_port(spec) and not health:
            spec["healthCheckNodePort"] = claim.pick(self._ports, "failed to allocate a HealthCheck NodePort")

    def _take_port(self, port: int, path: str, claim: _Claim) -> None:
        if port not in self._ports:
            first, last = NODE_PORTS
            detail = f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
            raise claim.refuse(invalid_value(path, port, detail))
        try:
            claim.take(self._ports, port)
        except Taken:
            raise claim.refuse(invalid_value(path, port, "provided port is already allocated")) from None


class _Claim:
    """What one write takes."""

    def __init__(self, service: Obj, dry_run: bool) -> None:
        self._key = key_of(service)
        self._dry_run = dry_run
        self._unsaved: set[int] = set()
        self.taken: list[tuple[Pool, int]] = []

    def take(self, pool: Pool, value: int) -> None:
        owner = pool.owner(value)
        if owner is None and not self._dry_run:
            pool.take(self._key, value)
            self.taken.append((pool, value))
        elif owner not in (None, self._key):
            raise Taken

    def pick(self, pool: Pool, full: str) -> int:
        try:
            value = pool.pick()
            while value in self._unsaved:
                value = pool.pick()
        except Full:
            raise internal_error(full) from None
        if self._dry_run:
            self._unsaved.add(value)
        self.take(pool, value)
        return value

    def undo(self) -> None:
        for pool, value in self.taken:
            pool.give_back(self._key, value)
        self.taken.clear()

    def refuse(self, cause: Cause) -> StatusError:
        return invalid("", "Service", self._key.name, [cause])


def _choose_families(service: Obj, old: Obj | None) -> None:
    """Sets `ipFamilyPolicy` and `ipFamilies`, and trims what a change to a single stack leaves over."""
    spec = mapping(service, "spec")
    addresses = strings(spec, "clusterIPs") or [a for a in (text(spec, "clusterIP"),) if a]
    families = [family for family in strings(spec, "ipFamilies") if family in FAMILIES]
    headless = addresses[:1] == ["None"]
    name = key_of(service).name
    if spec.get("ipFamilyPolicy") is None:
        if headless and not spec.get("selector"):
            spec["ipFamilyPolicy"] = "RequireDualStack"
        elif len(families) == 2 or len(addresses) == 2:
            detail = "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"
            raise invalid("", "Service", name, [invalid_value("spec.ipFamilyPolicy", None, detail)])
        else:
            spec["ipFamilyPolicy"] = "SingleStack"
    single = spec["ipFamilyPolicy"] == "SingleStack"
    if single and old is not None and mapping(old, "spec").get("ipFamilyPolicy") != "SingleStack":
        families, addresses = families[:1], addresses[:1]
        if addresses:
            spec["clusterIPs"] = addresses
    if single and max(len(families), len(addresses)) == 2:
        detail = "may not be 'SingleStack' when multiple IP families are specified"
        raise invalid("", "Service", name, [forbidden_field("spec.ipFamilyPolicy", detail)])
    if not families and not headless:
        for address in addresses:
            try:
                families.append(_family(ipaddress.ip_address(address)))
            except ValueError:
                return  # validation names it
    if not families:
        families = [FAMILIES[0]]
    if not single and len(families) == 1:
        families.append(FAMILIES[1 - FAMILIES.index(families[0])])
    spec["ipFamilies"] = families


def _family(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"IPv{address.version}"


def _addresses(service: Obj) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    return [ipaddress.ip_address(a) for a in strings(mapping(service, "spec"), "clusterIPs") if a and a != "None"]


def _ports(service: Obj) -> list[int]:
    spec = mapping(service, "spec")
    ports = [number(port, "nodePort") for port in objects(spec, "ports")]
    return [port for port in (*ports, number(spec, "healthCheckNodePort")) if port]
