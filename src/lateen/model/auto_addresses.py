"""Automatic virtual addresses of ServiceEntry hosts, so that TCP traffic to them can be told apart.

The law. Every host (per namespace) that qualifies has one IPv4 address in 240.240.0.0/16 and one IPv6 address in
2001:2::/48, at the same *slot*. Slots are given by age (creation time, then namespace, then host), each host taking the
first free slot of its probe sequence, which is a function of its name alone. So:

- no two hosts share an address, nor does one get an address that a ServiceEntry declares itself;
- it is a function of the set of hosts: the same on every replica, after every restart, in every order of events;
- a host that is added takes nothing from an older one, and moves a younger one only when it lands on that one's slot
  (with n hosts: a chance of about n/65,000); one that is removed moves only hosts that had to step aside for it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b

from lateen.api.networking.service_entry import Resolution, ServiceEntry
from lateen.api.objects import Key, Object
from lateen.engine import Reader, query
from lateen.model.hosts import is_wildcard
from lateen.model.inputs import SERVICE_ENTRIES
from lateen.model.service import ServiceKey

OPT_OUT_LABEL = "networking.istio.io/enable-autoallocate-ip"

IPV4_RANGE = ipaddress.ip_network("240.240.0.0/16")
IPV6_RANGE = ipaddress.ip_network("2001:2::/48")
SLOTS = 65_521
"""The largest prime that fits into the IPv4 range, so that every step of a probe sequence visits every slot."""

_FIRST_IPV4 = int(IPV4_RANGE.network_address) + 1
_FIRST_IPV6 = int(IPV6_RANGE.network_address) + 1

Applicant = tuple[str, str, str]
"""Creation time, namespace, host."""


def slots(applicants: Iterable[Applicant], taken: frozenset[int] = frozenset()) -> dict[ServiceKey, int]:
    """Gives every applicant a slot, by the law above. Those that come when all are taken get none."""
    given: dict[ServiceKey, int] = {}
    occupied = set(taken)
    for _, namespace, host in sorted(applicants):
        key = ServiceKey(host, namespace)
        if key in given or len(occupied) >= SLOTS:
            continue
        slot = next(slot for slot in probes(key) if slot not in occupied)
        given[key] = slot
        occupied.add(slot)
    return given


def probes(key: ServiceKey) -> Iterator[int]:
    """The slots a host tries, in order: all of them, each once."""
    digest = blake2b(f"{key.namespace}/{key.hostname}".encode(), digest_size=16).digest()
    start = int.from_bytes(digest[:8], "big") % SLOTS
    step = int.from_bytes(digest[8:], "big") % (SLOTS - 1) + 1
    return ((start + number * step) % SLOTS for number in range(SLOTS))


def addresses_of(slot: int) -> tuple[str, str]:
    """The IPv4 and the IPv6 address of a slot."""
    return str(ipaddress.IPv4Address(_FIRST_IPV4 + slot)), str(ipaddress.IPv6Address(_FIRST_IPV6 + slot))


def slots_within(address: str) -> range:
    """The slots whose addresses a declared address or CIDR covers."""
    network = ipaddress.ip_network(address, strict=False)
    base = _FIRST_IPV4 if network.version == 4 else _FIRST_IPV6
    first = max(int(network.network_address) - base, 0)
    last = min(int(network.broadcast_address) - base, SLOTS - 1)
    return range(first, last + 1)


@query
def auto_addresses(db: Reader, key: ServiceKey) -> tuple[str, ...]:
    """The automatic addresses of a host: IPv4 and IPv6, or none."""
    slot = _all_slots(db).get(key)
    return addresses_of(slot) if slot is not None else ()


@query
def _all_slots(db: Reader) -> Mapping[ServiceKey, int]:
    applicants: list[Applicant] = []
    taken: set[int] = set()
    for key in SERVICE_ENTRIES.keys(db):
        entry_applicants, entry_taken = _claims(db, key)
        applicants.extend(entry_applicants)
        taken.update(*entry_taken)
    return slots(applicants, frozenset(taken))


@query
def _claims(db: Reader, key: Key) -> tuple[tuple[Applicant, ...], tuple[range, ...]]:
    """What one ServiceEntry asks for: addresses for its hosts, or that its own are left to it."""
    entry = SERVICE_ENTRIES.get(db, key)
    if entry is None:
        return (), ()
    spec, metadata = entry.spec, entry.metadata
    if spec.addresses:
        return (), tuple(slots for address in spec.addresses if (slots := slots_within(address)))
    created = metadata.creation_timestamp or ""
    asking = (host for host in dict.fromkeys(spec.hosts) if gets_address(entry, host))
    return tuple((created, metadata.namespace, host) for host in asking), ()


def gets_address(entry: Object[ServiceEntry], host: str) -> bool:
    """Whether a host of a ServiceEntry is to have automatic addresses: where it declares none itself, has not opted out
    (label `networking.istio.io/enable-autoallocate-ip: "false"`), and its address is not the one that was dialled.
    Wildcards stand for many addresses, unless DYNAMIC_DNS resolves each."""
    spec = entry.spec
    if spec.addresses or spec.resolution is Resolution.NONE:
        return False
    if entry.metadata.labels.get(OPT_OUT_LABEL, "").lower() == "false":
        return False
    return spec.resolution is Resolution.DYNAMIC_DNS or not is_wildcard(host)
