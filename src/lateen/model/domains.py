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
from lateen.model.services import aliases, service, service_keys
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


def service_domains(db: Reader, found: Service, *, bare: bool) -> tuple[tuple[Form, str], ...]:
    """Every domain of a service, without ports. `bare` adds the name alone, as clients of its namespace write it."""
    domain = DOMAIN.get(db)
    named = [(Form.HOST, found.hostname.lower())]
    named += [(Form.ALIAS, alias.lower()) for alias in aliases(db, found.hostname)]
    listed: list[tuple[Form, str]] = []
    for form, host in named:
        listed.append((form, host))
        listed += [(Form.SHORT, short) for short in _alternates(host, domain, bare)]
    if found.headless and found.is_kubernetes:
        # Pods of a headless service have names below the service's.
        listed += [(Form.SHORT, f"*.{name}") for _, name in tuple(listed)]
    listed += [(Form.ADDRESS, address) for address in _addresses(found)]
    return tuple(dict.fromkeys(listed))


def with_port(domain: str, port: int) -> str:
    return f"{domain}:{port}"


def compliant(host: str) -> str:
    """IPv6 addresses are in brackets in authorities."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _alternates(host: str, domain: str, bare: bool) -> Iterable[str]:
    if not _is_address(host) and not hosts.is_wildcard(host):
        yield f"{host}."
    name = hosts.kubernetes_name(host, domain)
    if name is None:
        return
    short, namespace = name
    if bare:
        yield short
    yield f"{short}.{namespace}"
    yield f"{short}.{namespace}.svc"


def _addresses(found: Service) -> Iterable[str]:
    for address in (*found.addresses, *found.auto_addresses):
        plain, slash, length = address.partition("/")
        is_one = not slash or length == ("128" if ":" in plain else "32")
        if is_one and plain not in _UNSPECIFIED:
            yield compliant(plain)


def _is_address(host: str) -> bool:
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
    claims: dict[str, set[Claim]] = {}
    shorts: list[tuple[str, Claim]] = []
    for key in service_keys(db):
        found = service(db, key)
        if found is None or found.resolution is Resolution.ALIAS:
            continue
        for form, name in service_domains(db, found, bare=True):
            claim = Claim(form, not found.is_kubernetes, found.created, key.hostname, key)
            if form is Form.SHORT and "." not in name.removeprefix("*."):
                shorts.append((name, claim))
            else:
                claims.setdefault(name, set()).add(claim)
    for host in hosts_without_service(db):
        claims.setdefault(compliant(host), set()).add(Claim(Form.ROUTED, True, "", host, None))
    for name, claim in shorts:
        if name in claims:
            claims[name].add(claim)
    several = (name for name in sorted(claims) if len({claim.host for claim in claims[name]}) > 1)
    return {name: tuple(sorted(claims[name], key=_precedence)) for name in several}


def _precedence(claim: Claim) -> tuple[int, bool, str, str, str]:
    namespace = claim.service.namespace if claim.service is not None else ""
    return (claim.form, claim.declared, claim.created, claim.host, namespace)


def lost_domains(db: Reader, key: ServiceKey) -> tuple[tuple[str, str], ...]:
    """The domains of a service that belong to another host wherever both are seen, each with that host."""
    return tuple(
        (domain, claims[0].host)
        for domain, claims in contested(db).items()
        if claims[0].host != key.hostname and any(claim.service == key for claim in claims[1:])
    )
