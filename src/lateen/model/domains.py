"""The domains of virtual hosts: every form in which clients may write the host of a service.

No domain may be in two virtual hosts of one route configuration. The forms that services (and VirtualServices of hosts
without a service) contend for are found once for the whole mesh; nearly always there are none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.inputs import DOMAIN, SERVICES
from lateen.model.service import Resolution, Service, ServiceKey
from lateen.model.services import service, service_keys, unaliased
from lateen.model.virtual_services import routed_hosts

_UNSPECIFIED = frozenset({"0.0.0.0", "::"})


class Form(IntEnum):
    """How a domain names a service. The least wins where several claim a domain."""

    HOST = 0
    ROUTED = 1
    """A host of VirtualServices that no service has."""
    ALIAS = 2
    ADDRESS = 3
    SHORT = 4


Name = tuple[str, Form, str]
"""A domain of a virtual host; its form; and the namespace whose clients alone know it, for a name without a namespace
of its own (empty for all others)."""


class Claim(NamedTuple):
    """Who claims a domain. Sorts by precedence: the form, then Kubernetes Services, then the oldest."""

    form: Form
    declared: bool
    created: str
    host: str
    service: ServiceKey | None
    """None for a host without a service."""
    home: str

    def contends(self, other: Claim) -> bool:
        """Whether some client knows both, as names of different hosts."""
        return self.host != other.host and (not self.home or not other.home or self.home == other.home)


class Owners:
    """Who has a domain, as claims come in by precedence."""

    def __init__(self) -> None:
        self._everywhere: set[str] = set()
        """Hosts that have it for all clients."""
        self._homes: dict[str, set[str]] = {}
        """Hosts that have it for clients of a namespace."""
        self._all: set[str] = set()

    def add(self, claim: Claim) -> bool:
        """Whether the domain is the claim's: no client knows it as one of another host."""
        others = (self._everywhere, self._homes.get(claim.home, ())) if claim.home else (self._all,)
        if any(host != claim.host for hosts_ in others for host in hosts_):
            return False
        self._all.add(claim.host)
        (self._homes.setdefault(claim.home, set()) if claim.home else self._everywhere).add(claim.host)
        return True


def service_domains(db: Reader, found: Service, bare: str) -> list[str]:
    """Every domain of a service, without ports.

    `bare` is the clients' namespace, whose services they call by their names alone; empty when that is of no matter.
    """
    return _known(_names(found, alias_names(db).get(found.hostname, ()), DOMAIN.get(db)), bare)


def routed_domains(db: Reader, host: str, bare: str) -> list[str]:
    """Every domain of a host without a service: alone, but where it is a Kubernetes Service's."""
    return _known(_routed_names(host, DOMAIN.get(db)), bare)


def _known(names: list[Name], bare: str) -> list[str]:
    """What clients of a namespace know, each once."""
    return list(dict.fromkeys([text for text, _, home in names if not home or home == bare]))


def home(host: str, domain: str) -> str:
    """The namespace in a Kubernetes host; empty for others."""
    name = hosts.kubernetes_name(host, domain)
    return name[1] if name is not None else ""


def _names(found: Service, others: tuple[str, ...], domain: str) -> list[Name]:
    """The domains of a service; `others` are the aliases."""
    host = found.key.hostname.lower()
    listed: list[Name] = [(host, Form.HOST, "")]
    if not hosts.is_wildcard(host) and not _is_address(host):
        listed.append((f"{host}.", Form.SHORT, ""))
    listed += _alternates(host, domain, Form.SHORT)
    for other in others:
        alias = other.lower()
        listed += ((alias, Form.ALIAS, ""), (f"{alias}.", Form.SHORT, ""))
        listed += _alternates(alias, domain, Form.SHORT)
    if found.headless and found.is_kubernetes:
        # Pods of a headless service have names below the service's.
        listed += [(f"*.{text}", Form.SHORT, home) for text, _, home in listed]
    listed += [(address, Form.ADDRESS, "") for address in _addresses(found)]
    return listed


def _routed_names(host: str, domain: str) -> list[Name]:
    return [(compliant(host), Form.ROUTED, ""), *_alternates(host, domain, Form.ROUTED)]


def with_port(domain: str, port: int) -> str:
    return f"{domain}:{port}"


def compliant(host: str) -> str:
    """IPv6 addresses are in brackets in authorities."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _alternates(host: str, domain: str, form: Form) -> tuple[Name, ...]:
    """The short forms of a Kubernetes host."""
    name = hosts.kubernetes_name(host, domain)
    if name is None:
        return ()
    short, namespace = name
    longer = f"{short}.{namespace}"
    return (short, form, namespace), (longer, form, ""), (f"{longer}.svc", form, "")


def _addresses(found: Service) -> Iterator[str]:
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

    Names without a namespace are left out, where they contend only with those of other namespaces.
    """
    owners: dict[str, str] = {}
    local: dict[tuple[str, str], str] = {}
    several: set[str] = set()
    for names, host, _ in _claimants(db):
        for text, _, home in names:
            owner = local.setdefault((text, home), host) if home else owners.setdefault(text, host)
            if owner is not host and owner != host:
                several.add(text)
    several.update(text for text, _ in local if text in owners)
    if not several:
        return {}
    claims: dict[str, set[Claim]] = {}
    for names, host, found in _claimants(db):
        for text, form, home in names:
            if text in several:
                claims.setdefault(text, set()).add(_claim(host, found, form, home))
    return {text: tuple(sorted(claims[text], key=_precedence)) for text in sorted(several)}


def _claimants(db: Reader) -> Iterator[tuple[list[Name], str, Service | None]]:
    """All that go by names: hosts, and the services that have them."""
    domain = DOMAIN.get(db)
    others = alias_names(db)
    known: set[str] = set()
    for key in service_keys(db):
        found = service(db, key)
        if found is not None and found.resolution is not Resolution.ALIAS:
            known.add(key.hostname.lower())
            yield _names(found, others.get(key.hostname, ()), domain), key.hostname, found
    for host in routed_hosts(db):
        if host not in known:
            yield _routed_names(host, domain), host, None


def _claim(host: str, found: Service | None, form: Form, home: str) -> Claim:
    if found is None:
        return Claim(form, True, "", host, None, home)
    return Claim(form, not found.is_kubernetes, found.created, host, found.key, home)


@query
def alias_names(db: Reader) -> Mapping[str, tuple[str, ...]]:
    """By host: the hosts of ExternalName Services that stand for it. Nearly always empty."""
    domain = DOMAIN.get(db)
    found: dict[str, list[str]] = {}
    for key in dict.fromkeys((key.namespace, key.name) for key in SERVICES.where(db, "alias", True)):
        host = hosts.kubernetes_host(key[1], key[0], domain)
        one = service(db, ServiceKey(host, key[0]))
        if one is not None and one.resolution is Resolution.ALIAS:
            found.setdefault(unaliased(db, host), []).append(host)
    return {host: tuple(sorted(found[host])) for host in sorted(found)}


def _precedence(claim: Claim) -> tuple[int, bool, str, str, str, str]:
    namespace = claim.service.namespace if claim.service is not None else ""
    return (claim.form, claim.declared, claim.created, claim.host, namespace, claim.home)


def lost_domains(db: Reader, key: ServiceKey) -> tuple[tuple[str, str], ...]:
    """The domains of a service that belong to another host wherever both are seen, each with that host."""
    found = service(db, key)
    if found is None:
        return ()
    lost: dict[str, str] = {}
    for domain, claims in contested(db).items():
        for index, claim in enumerate(claims):
            if claim.service == key:
                first = next((one for one in claims[:index] if one.contends(claim) and _meet(db, found, one)), None)
                if first is not None:
                    lost.setdefault(domain, first.host)
    return tuple(lost.items())


def _meet(db: Reader, found: Service, claim: Claim) -> bool:
    """Whether a service and a claim are ever in one route configuration."""
    other = service(db, claim.service) if claim.service is not None else None
    return claim.service is None or (other is not None and not _http_ports(found).isdisjoint(_http_ports(other)))


def _http_ports(found: Service) -> set[int]:
    return {port.port for port in found.ports if port.protocol.is_http or port.protocol.is_sniffed}
