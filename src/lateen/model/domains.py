"""The domains of virtual hosts: every form in which clients may write the host of a service.

No domain may be in two virtual hosts of one route configuration. The forms that services (and VirtualServices of hosts
without a service) contend for are found once for the whole mesh; nearly always there are none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.inputs import DOMAIN
from lateen.model.service import Resolution, Service, ServiceKey
from lateen.model.services import service, service_keys, unaliased
from lateen.model.virtual_services import hosts_without_service

_UNSPECIFIED = frozenset({"0.0.0.0", "::"})


class Form(IntEnum):
    """How a domain names a service. The least wins where several claim a domain."""

    HOST = 0
    ROUTED = 1
    """A host of VirtualServices that no service has."""
    ALIAS = 2
    ADDRESS = 3
    SHORT = 4


class Claim(NamedTuple):
    """Who claims a domain. Sorts by precedence: the form, then Kubernetes Services, then the oldest."""

    form: Form
    declared: bool
    created: str
    host: str
    service: ServiceKey | None
    """None for a host without a service."""


def service_domains(db: Reader, found: Service, *, bare: bool) -> list[str]:
    """Every domain of a service, without ports. `bare` adds the name alone, as clients of its namespace write it."""
    listed = _domains(found, alias_names(db).get(found.hostname, ()), DOMAIN.get(db), bare)
    return list(dict.fromkeys(name for _, name in listed))


def _domains(found: Service, others: tuple[str, ...], domain: str, bare: bool) -> list[tuple[Form, str]]:
    """Domains with their forms; `others` are the aliases."""
    host = found.hostname.lower()
    listed = [(Form.HOST, host), *_alternates(host, domain, bare)]
    for alias in others:
        listed += [(Form.ALIAS, alias.lower()), *_alternates(alias.lower(), domain, bare)]
    if found.headless and found.is_kubernetes:
        # Pods of a headless service have names below the service's.
        listed += [(Form.SHORT, f"*.{name}") for _, name in listed]
    listed += [(Form.ADDRESS, address) for address in _addresses(found)]
    return listed


def with_port(domain: str, port: int) -> str:
    return f"{domain}:{port}"


def compliant(host: str) -> str:
    """IPv6 addresses are in brackets in authorities."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _alternates(host: str, domain: str, bare: bool) -> list[tuple[Form, str]]:
    listed = [] if hosts.is_wildcard(host) or _is_address(host) else [(Form.SHORT, f"{host}.")]
    name = hosts.kubernetes_name(host, domain)
    if name is not None:
        short, namespace = name
        if bare:
            listed.append((Form.SHORT, short))
        listed += [(Form.SHORT, f"{short}.{namespace}"), (Form.SHORT, f"{short}.{namespace}.svc")]
    return listed


def _addresses(found: Service) -> Iterable[str]:
    for address in (*found.addresses, *found.auto_addresses):
        plain, slash, length = address.partition("/")
        is_one = not slash or length == ("128" if ":" in plain else "32")
        if is_one and plain not in _UNSPECIFIED:
            yield compliant(plain)


def _is_address(host: str) -> bool:
    if not host[-1:].isdigit() and ":" not in host:
        return False
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


@query
def contested(db: Reader) -> Mapping[str, tuple[Claim, ...]]:
    """The domains that more than one host claims, wherever both are in one route configuration; claims by precedence.

    Names without a namespace are left out, where they contend only with one another: no client sees two of them.
    """
    domain = DOMAIN.get(db)
    services = _services(db)
    owners: dict[str, str] = {compliant(host): host for host in hosts_without_service(db)}
    bare: set[str] = set()
    several: set[str] = set()
    for found, others in services:
        for form, name in _domains(found, others, domain, bare=True):
            if form is Form.SHORT and _is_bare(name):
                bare.add(name)
            elif owners.setdefault(name, found.hostname) != found.hostname:
                several.add(name)
    several |= bare & owners.keys()
    if not several:
        return {}
    claims: dict[str, set[Claim]] = {name: set() for name in several}
    for found, others in services:
        for form, name in _domains(found, others, domain, bare=True):
            if name in several:
                claims[name].add(Claim(form, not found.is_kubernetes, found.created, found.hostname, found.key))
    for host in hosts_without_service(db):
        if (name := compliant(host)) in several:
            claims[name].add(Claim(Form.ROUTED, True, "", host, None))
    return {name: tuple(sorted(claims[name], key=_precedence)) for name in sorted(several)}


@query
def alias_names(db: Reader) -> Mapping[str, tuple[str, ...]]:
    """By host: the hosts of ExternalName Services that stand for it. Nearly always empty."""
    found: dict[str, list[str]] = {}
    for key in service_keys(db):
        one = service(db, key)
        if one is not None and one.resolution is Resolution.ALIAS:
            found.setdefault(unaliased(db, key.hostname), []).append(key.hostname)
    return {host: tuple(found[host]) for host in sorted(found)}


def _services(db: Reader) -> list[tuple[Service, tuple[str, ...]]]:
    """All services but aliases, each with its aliases."""
    others = alias_names(db)
    found = (service(db, key) for key in service_keys(db))
    return [
        (one, others.get(one.hostname, ()))
        for one in found
        if one is not None and one.resolution is not Resolution.ALIAS
    ]


def _is_bare(name: str) -> bool:
    return "." not in name.removeprefix("*.")


def _precedence(claim: Claim) -> tuple[int, bool, str, str, str]:
    namespace = claim.service.namespace if claim.service is not None else ""
    return (claim.form, claim.declared, claim.created, claim.host, namespace)


def lost_domains(db: Reader, key: ServiceKey) -> tuple[tuple[str, str], ...]:
    """The domains of a service that belong to another host wherever both are seen, each with that host."""
    found = service(db, key)
    if found is None:
        return ()
    return tuple(
        (domain, claims[0].host)
        for domain, claims in contested(db).items()
        if claims[0].host != key.hostname
        and any(claim.service == key for claim in claims[1:])
        and _meet(db, found, claims[0])
    )


def _meet(db: Reader, found: Service, claim: Claim) -> bool:
    """Whether a service and a claim are ever in one route configuration."""
    other = service(db, claim.service) if claim.service is not None else None
    return claim.service is None or (other is not None and not _http_ports(found).isdisjoint(_http_ports(other)))


def _http_ports(found: Service) -> set[int]:
    return {port.port for port in found.ports if port.protocol.is_http or port.protocol.is_sniffed}
