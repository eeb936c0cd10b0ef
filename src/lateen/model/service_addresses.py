"""Where clients of a service connect to, as the proxy sees it: its virtual addresses, or its endpoints themselves."""

from __future__ import annotations

import ipaddress

from lateen.engine import Reader, query
from lateen.model.endpoints import endpoints
from lateen.model.listen_form import ListenForm
from lateen.model.service import Resolution, Service, ServiceKey


@query
def headless_addresses(db: Reader, key: ServiceKey, port: int) -> tuple[str, ...]:
    """The IP addresses of a service's endpoints, sorted."""
    return tuple(sorted({each.address for each in endpoints(db, key, port) if _is_ip(each.address)}))


def virtual_addresses(found: Service, form: ListenForm) -> tuple[str, ...]:
    """Where clients of a service connect to, as far as the service has addresses of its own."""
    addresses = dict(found.cluster_addresses).get(form.cluster_id, found.addresses)
    if addresses:
        return of_families(tuple(_without_full_prefix(address) for address in addresses), form)
    return of_families(found.auto_addresses, form) if form.dns_capture else ()


def has_no_address(found: Service, form: ListenForm) -> bool:
    """Clients connect to the endpoints themselves."""
    return found.resolution is Resolution.PASSTHROUGH and not virtual_addresses(found, form)


def of_families(addresses: tuple[str, ...], form: ListenForm) -> tuple[str, ...]:
    """The addresses of the proxy's families; all of them when there is none of those."""
    usable = tuple(a for a in addresses if (form.ipv6 if ":" in a else form.ipv4 or not form.ipv6))
    return usable or addresses


def _without_full_prefix(address: str) -> str:
    """`10.0.0.1/32` is the address 10.0.0.1."""
    plain, slash, length = address.partition("/")
    return plain if slash and length == ("128" if ":" in plain else "32") else address


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
