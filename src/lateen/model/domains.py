"""The domains of virtual hosts: every form in which clients may write the host of a service.

No domain may be in two virtual hosts of one route configuration. The forms that services (and VirtualServices of hosts
without a service) contend for are found once for the whole mesh; nearly always there are none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.inputs import DOMAIN
from lateen.model.service import Resolution, Service, ServiceKey
from lateen.model.services import service, service_keys, unaliased
from lateen.model.virtual_services import hosts_without_service

_ANY = "*"
"""In place of a namespace: every one."""
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


def service_domains(db: Reader, found: Service, bare: str) -> list[str]:
    """Every domain of a service, without ports.

    `bare` is the clients' namespace, whose services they call by their names alone; empty when that is of no matter.
    """
    listed = _domains(found, alias_names(db).get(found.hostname, ()), DOMAIN.get(db), bare)
    return list(dict.fromkeys(name for _, name in listed))


def routed_domains(db: Reader, host: str, bare: str) -> list[str]:
    """Every domain of a host without a service: alone, but where it is an ExternalName Service."""
    return [compliant(host), *_alternates(host, DOMAIN.get(db), bare)]


def home(host: str, domain: str) -> str:
    """The namespace in a Kubernetes host; empty for others."""
    name = hosts.kubernetes_name(host, domain)
    return name[1] if name is not None else ""


def _domains(found: Service, others: tuple[str, ...], domain: str, bare: str) -> list[tuple[Form, str]]:
    """Domains with their forms; `others` are the aliases."""
    host = found.hostname.lower()
    names = [f"{host}."] if not hosts.is_wildcard(host) and not _is_address(host) else []
    listed = [(Form.HOST, host), *((Form.SHORT, name) for name in (*names, *_alternates(host, domain, bare)))]
    for alias in others:
        listed += [(Form.ALIAS, alias.lower()), (Form.SHORT, f"{alias.lower()}.")]
        listed += [(Form.SHORT, name) for name in _alternates(alias.lower(), domain, bare)]
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


def _alternates(host: str, domain: str, bare: str) -> list[str]:
    """The short forms of a Kubernetes host."""
    name = hosts.kubernetes_name(host, domain)
    if name is None:
        return []
    short, namespace = name
    return [*((short,) if bare in (namespace, _ANY) else ()), f"{short}.{namespace}", f"{short}.{namespace}.svc"]


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
    listed = list(_claims(db))
    owners: dict[str, str] = {}
    bare: dict[str, str] = {}
    several: set[str] = set()
    for name, claim in listed:
        if _is_bare(name) and claim.form is Form.SHORT:
            bare[name] = claim.host
        elif owners.setdefault(name, claim.host) != claim.host:
            several.add(name)
    several |= bare.keys() & owners.keys()
    claims: dict[str, set[Claim]] = {}
    for name, claim in listed if several else ():
        if name in several:
            claims.setdefault(name, set()).add(claim)
    return {name: tuple(sorted(claims[name], key=_precedence)) for name in sorted(several)}


def _claims(db: Reader) -> Iterator[tuple[str, Claim]]:
    domain = DOMAIN.get(db)
    others = alias_names(db)
    for key in service_keys(db):
        found = service(db, key)
        if found is None or found.resolution is Resolution.ALIAS:
            continue
        forms = {form: Claim(form, not found.is_kubernetes, found.created, found.hostname, key) for form in Form}
        for form, name in _domains(found, others.get(found.hostname, ()), domain, _ANY):
            yield name, forms[form]
    for host in hosts_without_service(db):
        claim = Claim(Form.ROUTED, True, "", host, None)
        for name in routed_domains(db, host, _ANY):
            yield name, claim


@query
def alias_names(db: Reader) -> Mapping[str, tuple[str, ...]]:
    """By host: the hosts of ExternalName Services that stand for it. Nearly always empty."""
    found: dict[str, list[str]] = {}
    for key in service_keys(db):
        one = service(db, key)
        if one is not None and one.resolution is Resolution.ALIAS:
            found.setdefault(unaliased(db, key.hostname), []).append(key.hostname)
    return {host: tuple(found[host]) for host in sorted(found)}


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
