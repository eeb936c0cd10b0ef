"""Kubernetes' DNS records: (name, type, state) -> records, as a pure function.

Source: the DNS-Based Service Discovery specification 1.1.0 (kubernetes/dns), with CoreDNS' choices where it leaves
them open: TTL 5 s for names, 30 s for what says there is nothing; `pods insecure` (a pod name is its address).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal, Protocol

from lateen.cluster.objects import Key, Obj, key_of

TTL = 5
NEGATIVE_TTL = 30
SCHEMA_VERSION = "1.1.0"

Type = Literal["A", "AAAA", "SRV", "PTR", "CNAME", "TXT", "SOA", "NS", "ANY"]


class Outcome(Enum):
    """What a name is: there, not there, or not ours to say."""

    FOUND = "found"
    """The name exists; without records of the type asked for that is NODATA."""
    NO_NAME = "no name"
    NOT_OURS = "not ours"


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record. `value` by type: an address, a name, a text, or (priority, weight, port, target)."""

    name: str
    type: Type
    value: str | tuple[int, int, int, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers, and for SRV the addresses of their targets."""

    outcome: Outcome
    answers: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()

    def renamed(self, name: str) -> Reply:
        """The same answers under another name."""
        return replace(self, answers=tuple(replace(record, name=name) for record in self.answers))


NO_NAME = Reply(Outcome.NO_NAME)
NO_DATA = Reply(Outcome.FOUND)
NOT_OURS = Reply(Outcome.NOT_OURS)


class State(Protocol):
    """What the records are made of."""

    def namespace_exists(self, name: str) -> bool: ...

    def service(self, key: Key) -> Obj | None: ...

    def slices(self, key: Key) -> Iterable[Obj]:
        """The EndpointSlices of a Service."""
        ...

    def service_at(self, address: str) -> Obj | None:
        """The Service with this cluster IP."""
        ...

    def slices_at(self, address: str) -> Iterable[Obj]:
        """The EndpointSlices that hold this address."""
        ...


@dataclass(frozen=True, slots=True)
class _Port:
    name: str
    protocol: str
    number: int


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """An address of a headless Service under its host name, with the ports of its slice."""

    hostname: str
    address: str
    ports: tuple[_Port, ...]


def resolve(name: str, type_: str, state: State, domain: str = "cluster.local") -> Reply:
    """The reply for a name (absolute, without the last dot, any case) and a type."""
    name = name.lower().rstrip(".")
    if name.endswith((".in-addr.arpa", ".ip6.arpa")):
        return _reverse(name, type_, state, domain)
    if name != domain and not name.endswith(f".{domain}"):
        return NOT_OURS
    labels = name.removesuffix(domain).rstrip(".").split(".") if name != domain else []
    match labels:
        case [] | ["svc"] | ["pod"]:
            return NO_DATA
        case ["dns-version"]:
            return _of_type([Record(name, "TXT", SCHEMA_VERSION)], type_)
        case [*rest, namespace, "svc"]:
            return _service(name, rest, namespace, type_, state, domain)
        case [*rest, namespace, "pod"]:
            return _pod(name, rest, namespace, type_, state)
        case _:
            return NO_NAME


def _service(name: str, labels: list[str], namespace: str, type_: str, state: State, domain: str) -> Reply:
    if not labels:
        return NO_DATA if state.namespace_exists(namespace) else NO_NAME
    key = Key(namespace, labels[-1])
    service = state.service(key)
    if service is None:
        return NO_NAME
    spec = service.get("spec") or {}
    base = f"{key.name}.{namespace}.svc.{domain}"
    if spec.get("type") == "ExternalName":
        target = str(spec.get("externalName") or "").rstrip(".")
        return Reply(Outcome.FOUND, (Record(name, "CNAME", target),)) if len(labels) == 1 and target else NO_NAME
    headless = spec.get("clusterIP") in (None, "", "None")
    match labels[:-1]:
        case []:
            if not headless:
                records = _addresses(name, _cluster_ips(spec))
                records += _srv(name, _service_ports(spec), base)
                return _of_type(records, type_, lambda _: _cluster_ips(spec))
            endpoints = _endpoints(state.slices(key))
            if not endpoints:
                return NO_NAME
            records = _addresses(name, (e.address for e in endpoints))
            records += _endpoint_srv(name, endpoints, base)
            return _of_type(records, type_, _targets(endpoints, base))
        case [port, protocol] if port.startswith("_") and protocol.startswith("_"):
            if not headless:
                ports = [p for p in _service_ports(spec) if _selects(port, protocol, p)]
                return _of_type(_srv(name, ports, base), type_, lambda _: _cluster_ips(spec)) if ports else NO_NAME
            endpoints = _endpoints(state.slices(key))
            records = _endpoint_srv(name, endpoints, base, (port, protocol))
            return _of_type(records, type_, _targets(endpoints, base)) if records else NO_NAME
        case [hostname] if headless:
            endpoints = [e for e in _endpoints(state.slices(key)) if e.hostname == hostname]
            if not endpoints:
                return NO_NAME
            records = _addresses(name, (e.address for e in endpoints))
            return _of_type(records + _endpoint_srv(name, endpoints, base), type_, _targets(endpoints, base))
        case _:
            return NO_NAME


def _pod(name: str, labels: list[str], namespace: str, type_: str, state: State) -> Reply:
    if not state.namespace_exists(namespace):
        return NO_NAME
    if not labels:
        return NO_DATA
    address = _dashed_address(labels[0]) if len(labels) == 1 else None
    return _of_type(_addresses(name, [address]), type_) if address else NO_NAME


def _reverse(name: str, type_: str, state: State, domain: str) -> Reply:
    address = reverse_address(name)
    if address is None:
        return NOT_OURS
    service = state.service_at(address)
    if service is not None:
        key = key_of(service)
        return _of_type([Record(name, "PTR", f"{key.name}.{key.namespace}.svc.{domain}")], type_)
    records: list[Record] = []
    for slice_ in state.slices_at(address):
        meta = slice_.get("metadata") or {}
        owner = Key(meta.get("namespace", ""), (meta.get("labels") or {}).get("kubernetes.io/service-name", ""))
        owning = state.service(owner)
        if owning is None or (owning.get("spec") or {}).get("clusterIP") not in (None, "", "None"):
            continue
        for endpoint in _endpoints([slice_], ready_only=False):
            if endpoint.address == address:
                target = f"{endpoint.hostname}.{owner.name}.{owner.namespace}.svc.{domain}"
                records.append(Record(name, "PTR", target))
    # An address that is none of ours is for the machine's own resolvers.
    return _of_type(list(dict.fromkeys(records)), type_) if records else NOT_OURS


# --- pieces --------------------------------------------------------------------------------------------------


def _of_type(records: list[Record], type_: str, addresses_of: Targets | None = None) -> Reply:
    answers = tuple(r for r in records if r.type == type_ or (type_ == "ANY" and r.type != "SRV"))
    additional: list[Record] = []
    if addresses_of is not None:
        for record in answers:
            if record.type == "SRV" and isinstance(record.value, tuple):
                additional += _addresses(record.value[3], addresses_of(record.value[3]))
    return Reply(Outcome.FOUND, answers, tuple(dict.fromkeys(additional)))


class Targets(Protocol):
    """The addresses of an SRV record's target."""

    def __call__(self, target: str, /) -> Iterable[str]: ...


def _targets(endpoints: list[_Endpoint], base: str) -> Targets:
    def addresses(target: str) -> Iterable[str]:
        return [e.address for e in endpoints if f"{e.hostname}.{base}" == target]

    return addresses


def _addresses(name: str, addresses: Iterable[str]) -> list[Record]:
    return [Record(name, "AAAA" if ":" in address else "A", address) for address in dict.fromkeys(addresses)]


def _cluster_ips(spec: Obj) -> list[str]:
    return [str(ip) for ip in spec.get("clusterIPs") or [spec["clusterIP"]]]


def _service_ports(spec: Obj) -> list[_Port]:
    return [
        _Port(str(p.get("name") or ""), str(p.get("protocol") or "TCP").lower(), int(p["port"]))
        for p in spec.get("ports") or ()
    ]


def _selects(port: str, protocol: str, candidate: _Port) -> bool:
    return port == f"_{candidate.name}" and protocol == f"_{candidate.protocol}" and bool(candidate.name)


def _srv(name: str, ports: Iterable[_Port], target: str) -> list[Record]:
    ports = list(ports)
    return [Record(name, "SRV", (0, _weight(len(ports)), port.number, target)) for port in ports]


def _endpoint_srv(
    name: str, endpoints: list[_Endpoint], base: str, selected: tuple[str, str] | None = None
) -> list[Record]:
    pairs = dict.fromkeys(
        (port.number, f"{endpoint.hostname}.{base}")
        for endpoint in endpoints
        for port in endpoint.ports
        if selected is None or _selects(*selected, port)
    )
    return [Record(name, "SRV", (0, _weight(len(pairs)), number, target)) for number, target in pairs]


def _weight(count: int) -> int:
    """An equal share of 100 for each, as CoreDNS has it."""
    return max(1, 100 // count) if count else 100


def _endpoints(slices: Iterable[Obj], *, ready_only: bool = True) -> list[_Endpoint]:
    return list(dict.fromkeys(_each_endpoint(slices, ready_only)))


def _each_endpoint(slices: Iterable[Obj], ready_only: bool) -> Iterator[_Endpoint]:
    for slice_ in slices:
        if slice_.get("addressType") not in ("IPv4", "IPv6"):
            continue
        ports = tuple(
            _Port(str(p.get("name") or ""), str(p.get("protocol") or "TCP").lower(), int(p["port"]))
            for p in slice_.get("ports") or ()
            if p.get("port")
        )
        for endpoint in slice_.get("endpoints") or ():
            if ready_only and (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            for address in endpoint.get("addresses") or ():
                hostname = str(endpoint.get("hostname") or "").lower() or dashed(str(address))
                yield _Endpoint(hostname, str(address), ports)


def dashed(address: str) -> str:
    """An address as a label: `10-1-2-3`; IPv6 with its `::` (which a label cannot start or end with) padded by 0."""
    label = address.replace(".", "-").replace(":", "-")
    return f"{'0' if label.startswith('-') else ''}{label}{'0' if label.endswith('-') else ''}"


def _dashed_address(label: str) -> str | None:
    for text in (label.replace("-", "."), label.replace("-", ":")):
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            continue
    return None


def reverse_address(name: str) -> str | None:
    """The address that a name below `in-addr.arpa` or `ip6.arpa` stands for; None when it is not a whole one."""
    if name.endswith(".in-addr.arpa"):
        labels = name.removesuffix(".in-addr.arpa").split(".")
        text = ".".join(reversed(labels))
    else:
        labels = name.removesuffix(".ip6.arpa").split(".")
        if len(labels) != 32 or any(len(label) != 1 for label in labels):
            return None
        digits = "".join(reversed(labels))
        text = ":".join(digits[i : i + 4] for i in range(0, 32, 4))
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
