"""Which load balancer address belongs to which Service. Pure; rebuilt from the Services' statuses after a restart."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from lateen.cluster.layout import Layout
from lateen.cluster.objects import Key, Obj, key_of

_FIRST = 1


class AllocationError(Exception):
    """No address can be given; the text is for the Service's event."""


class AddressAllocator:
    """Addresses of the cluster's load balancer ranges by owner."""

    def __init__(self, layout: Layout) -> None:
        self._ranges: dict[str, IPv4Network | IPv6Network] = {
            "IPv4": layout.load_balancers_ipv4,
            "IPv6": layout.load_balancers_ipv6,
        }
        self._owners: dict[str, Key] = {}

    def restore(self, services: Iterable[Obj]) -> None:
        """Takes the addresses that the Services' statuses hold; of two claims to one, the elder Service's counts."""
        for service in sorted(services, key=lambda s: (s.get("metadata") or {}).get("creationTimestamp") or ""):
            for address in self.held(service):
                self._owners.setdefault(address, key_of(service))

    def held(self, service: Obj) -> list[str]:
        """The addresses of ours in the Service's status."""
        ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        return [str(i["ip"]) for i in ingress if i.get("ip") and self._family_of(str(i["ip"]))]

    def owned(self, owner: Key) -> list[str]:
        return [address for address, key in self._owners.items() if key == owner]

    def allocate(self, service: Obj) -> list[str]:
        """The Service's addresses, one per IP family in its order: those it has, the one it wishes, or free ones.

        Raises AllocationError; then nothing changed.
        """
        owner = key_of(service)
        spec = service.get("spec") or {}
        wish = str(spec.get("loadBalancerIP") or "")
        if wish and self._family_of(wish) is None:
            ranges = " and ".join(str(r) for r in self._ranges.values())
            raise AllocationError(f"loadBalancerIP {wish} is not in the load balancer ranges {ranges}")
        chosen: list[str] = []
        for family in spec.get("ipFamilies") or ["IPv4"]:
            if wish and self._family_of(wish) == family:
                address = str(ipaddress.ip_address(wish))
                if self._owners.get(address, owner) != owner:
                    raise AllocationError(f"loadBalancerIP {wish} belongs to Service {self._owners[address]}")
            else:
                mine = (a for a in self.owned(owner) if self._family_of(a) == family)
                address = next(mine, None) or self._free(family)
            chosen.append(address)
        self.free(owner)
        self._owners |= dict.fromkeys(chosen, owner)
        return chosen

    def free(self, owner: Key) -> list[str]:
        """Gives the owner's addresses back; those it had."""
        had = self.owned(owner)
        for address in had:
            del self._owners[address]
        return had

    def _free(self, family: str) -> str:
        network = self._ranges[family]
        # Both ranges have at least 254 addresses to give; the IPv6 one is not searched to its end.
        for offset in range(_FIRST, min(network.num_addresses - 1, 65535)):
            address = str(network[offset])
            if address not in self._owners:
                return address
        raise AllocationError(f"no load balancer address is left in {network}")

    def _family_of(self, address: str) -> str | None:
        """The family of an address of ours; None for any other."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return None
        return next((f for f, r in self._ranges.items() if r.version == parsed.version and parsed in r), None)
