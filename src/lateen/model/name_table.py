"""The names that a sidecar answers DNS queries for, and their addresses.

A resolver appends its search domains to names with few dots before it asks for them as they are; what comes of the
first of them (`NAMESPACE.svc.DOMAIN`) is a name of the same addresses, so that no query leaves the pod.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from lateen.engine import Reader, query
from lateen.model.endpoints import endpoints_by_port, healthy
from lateen.model.hosts import is_wildcard
from lateen.model.inputs import CLUSTER_ID, DOMAIN
from lateen.model.listen_form import ListenForm
from lateen.model.service import Resolution, Service, ServiceKey
from lateen.model.service_addresses import of_families, virtual_addresses
from lateen.model.services import service

Names = tuple[tuple[str, tuple[str, ...]], ...]
"""Names, each with its addresses."""


@query
def service_names(db: Reader, key: ServiceKey, namespace: str, form: ListenForm) -> tuple[Names, Names]:
    """What a service is called by clients of a namespace: its own names, and what else leads to it. Nothing when it has
    no address: then others answer."""
    found = service(db, key)
    if found is None or found.resolution is Resolution.ALIAS:
        return (), ()
    domain = DOMAIN.get(db)
    own: dict[str, tuple[str, ...]] = {}
    others: dict[str, tuple[str, ...]] = {}
    for host, addresses in _hosts(db, found, form):
        own[host] = addresses
        for name in _others(host, found, namespace, domain):
            others.setdefault(name, addresses)
    return tuple(own.items()), tuple((name, to) for name, to in others.items() if name not in own)


def _hosts(db: Reader, found: Service, form: ListenForm) -> Iterator[tuple[str, tuple[str, ...]]]:
    host = found.hostname.lower()
    if is_wildcard(host) and not host.startswith("*."):
        return
    virtual = tuple(address for address in virtual_addresses(found, form) if _is_ip(address))
    if virtual:
        yield host, virtual
    elif found.resolution is Resolution.PASSTHROUGH and found.ports and not found.addresses:
        yield from _headless(db, found, host, form)


def _headless(db: Reader, found: Service, host: str, form: ListenForm) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The addresses of endpoints of the client's own cluster, as Kubernetes gives them; each under its pod's host name
    too."""
    cluster = form.cluster_id or CLUSTER_ID.get(db)
    listed = endpoints_by_port(db, found.key)
    port = next((port.port for port in found.ports if listed.get(port.port)), 0)
    addresses: dict[str, None] = {}
    pods: dict[str, tuple[str, ...]] = {}
    for each in healthy(listed.get(port, ())):
        if each.cluster_id not in ("", cluster):
            continue
        usable = of_families(tuple(a for a in (each.address, *each.additional_addresses) if _is_ip(a)), form)
        addresses |= dict.fromkeys(usable)
        if each.hostname and usable and not is_wildcard(host):
            pods.setdefault(f"{each.hostname.lower()}.{host}", usable)
    if addresses:
        yield host, tuple(addresses)
    yield from pods.items()


def _others(host: str, found: Service, namespace: str, domain: str) -> Iterator[str]:
    """All other names of a host: the short ones of Kubernetes, and with the client's first search domain."""
    suffix = f".svc.{domain}"
    searched = f"{namespace}{suffix}"
    yield f"{host}.{searched}"
    if not found.is_kubernetes or not host.endswith(suffix):
        return
    with_namespace = host.removesuffix(suffix)
    if found.namespace == namespace:
        yield with_namespace.removesuffix(f".{namespace}")
    for name in (with_namespace, f"{with_namespace}.svc"):
        yield name
        yield f"{name}.{searched}"


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
