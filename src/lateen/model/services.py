"""The registry: every service of the mesh, by key and by host, whatever it was made from."""

from __future__ import annotations

import msgspec

from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.inputs import DOMAIN, SERVICE_ENTRIES, SERVICES
from lateen.model.kubernetes_services import kubernetes_keys, kubernetes_service
from lateen.model.mesh import discovered, discovers_all
from lateen.model.service import Resolution, Service, ServiceKey
from lateen.model.service_entries import entry_hosts, entry_service, subject_alt_names

_LONGEST_ALIAS_CHAIN = 8


@query
def service(db: Reader, key: ServiceKey) -> Service | None:
    """The service of this key; None when there is none, or discoverySelectors leave its namespace out.

    A Kubernetes Service comes before a ServiceEntry of the same host and namespace, and takes its subjectAltNames.
    """
    if not discovered(db, key.namespace):
        return None
    name = hosts.kubernetes_name(key.hostname, DOMAIN.get(db))
    if name is not None and name[1] == key.namespace:
        found = kubernetes_service(db, key, name[0])
        if found is not None:
            added = subject_alt_names(db, key)
            if not added:
                return found
            return msgspec.structs.replace(found, subject_alt_names=tuple(sorted({*found.subject_alt_names, *added})))
    return entry_service(db, key)


@query
def service_keys(db: Reader) -> tuple[ServiceKey, ...]:
    """The keys of all services, sorted. Depends on which there are, not on what they are."""
    keys = dict.fromkeys(kubernetes_keys(db))
    for entry in SERVICE_ENTRIES.keys(db):
        keys |= dict.fromkeys(ServiceKey(host, entry.namespace) for host in entry_hosts(db, entry))
    if not discovers_all(db):
        return tuple(sorted(key for key in keys if discovered(db, key.namespace)))
    return tuple(sorted(keys))


def service_keys_in(db: Reader, namespace: str) -> tuple[ServiceKey, ...]:
    """The keys of one namespace's services, sorted. Depends on this namespace alone."""
    if not discovered(db, namespace):
        return ()
    domain = DOMAIN.get(db)
    names = {hosts.kubernetes_host(key.name, namespace, domain) for key in SERVICES.where(db, "namespace", namespace)}
    for entry in SERVICE_ENTRIES.where(db, "namespace", namespace):
        names.update(entry_hosts(db, entry))
    return tuple(ServiceKey(name, namespace) for name in sorted(names))


def services_of_host(db: Reader, hostname: str) -> tuple[ServiceKey, ...]:
    """The keys of the services with exactly this host, sorted. Depends on this host alone."""
    namespaces = {entry.namespace for entry in SERVICE_ENTRIES.where(db, "host", hostname)}
    name = hosts.kubernetes_name(hostname, DOMAIN.get(db))
    if name is not None and SERVICES.where(db, "name", (name[1], name[0])):
        namespaces.add(name[1])
    return tuple(ServiceKey(hostname, namespace) for namespace in sorted(namespaces) if discovered(db, namespace))


@query
def aliases(db: Reader, hostname: str) -> tuple[str, ...]:
    """The hosts (of ExternalName Services) that stand for this one, directly or through another, sorted."""
    domain = DOMAIN.get(db)
    found: dict[str, None] = {}
    pending = [hostname]
    while pending:
        for key in SERVICES.where(db, "external_name", pending.pop()):
            alias = hosts.kubernetes_host(key.name, key.namespace, domain)
            if alias != hostname and alias not in found and discovered(db, key.namespace):
                found[alias] = None
                pending.append(alias)
    return tuple(sorted(found))


def unaliased(db: Reader, hostname: str) -> str:
    """The host that finally answers for a host: itself, unless it is an ExternalName Service's. A circle ends where it
    began."""
    domain = DOMAIN.get(db)
    at = hostname
    for _ in range(_LONGEST_ALIAS_CHAIN):
        name = hosts.kubernetes_name(at, domain)
        found = service(db, ServiceKey(at, name[1])) if name is not None else None
        if found is None or found.resolution is not Resolution.ALIAS:
            return at
        at = found.external_name
        if at == hostname:
            return hostname
    return hostname
