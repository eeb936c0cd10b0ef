"""The rule model: tables of chains of rules, as both nftables and iptables can say them, and nothing more."""

from __future__ import annotations

import enum
from typing import TypeAlias

import msgspec

from lateen.capture.capture import Network, PortRange


class Table(enum.Enum):
    """When a chain is asked. Of one hook, raw comes before connection tracking, then mangle, then nat; nat is asked for
    the first packet of a connection only."""

    RAW = "raw"
    MANGLE = "mangle"
    NAT = "nat"


class Hook(enum.Enum):
    """Where a chain is asked."""

    PREROUTING = "prerouting"
    """What comes in, by loopback too."""
    OUTPUT = "output"
    """What processes send."""


class Protocol(enum.Enum):
    TCP = "tcp"
    UDP = "udp"


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions that all must hold; a condition with several values holds if one of them fits, a `not_` condition if
    none does. A rule with networks is asked of packets of their family only, and all of its networks are of one."""

    protocol: Protocol | None = None
    in_interface: str = ""
    """A name; with a `+` at its end, all names that begin so."""
    out_interface: str = ""
    sources: tuple[Network, ...] = ()
    destinations: tuple[Network, ...] = ()
    not_destination: Network | None = None
    source_port: int | None = None
    ports: tuple[PortRange, ...] = ()
    """Destination ports; with them, `protocol` is set."""
    not_ports: tuple[PortRange, ...] = ()
    uids: tuple[int, ...] = ()
    not_uids: tuple[int, ...] = ()
    gids: tuple[int, ...] = ()
    not_gids: tuple[int, ...] = ()
    mark: int | None = None
    not_mark: int | None = None
    connection_mark: int | None = None
    states: tuple[str, ...] = ()
    """Of the connection: `new`, `established`, `related`, `invalid`."""

    @property
    def version(self) -> int | None:
        """4 or 6 where networks say so, else None."""
        networks = (*self.sources, *self.destinations, *((self.not_destination,) if self.not_destination else ()))
        return networks[0].version if networks else None


class Return(msgspec.Struct, frozen=True, tag=True):
    """Leave the chain: for its caller, and for the kernel when there is none."""


class Accept(msgspec.Struct, frozen=True, tag=True):
    """Leave the table: nothing more is asked in it."""


class Drop(msgspec.Struct, frozen=True, tag=True):
    """The packet is gone."""


class Jump(msgspec.Struct, frozen=True, tag=True):
    """Ask another chain of the table, and go on after it returns."""

    chain: str


class Redirect(msgspec.Struct, frozen=True, tag=True):
    """Rewrite the destination to this port of this machine. Ends the table."""

    port: int


class Intercept(msgspec.Struct, frozen=True, tag=True):
    """Hand the packet to the transparent socket on this port as it is, and mark it. Ends the table."""

    port: int
    mark: int


class SetMark(msgspec.Struct, frozen=True, tag=True):
    """Mark the packet and go on."""

    mark: int


class SaveMark(msgspec.Struct, frozen=True, tag=True):
    """Give the connection the packet's mark and go on."""


class RestoreMark(msgspec.Struct, frozen=True, tag=True):
    """Give the packet the connection's mark and go on."""


class Zone(msgspec.Struct, frozen=True, tag=True):
    """Track the packet's connection in this zone, apart from equal ones of others. Leaves the chain."""

    zone: int


Action: TypeAlias = Return | Accept | Drop | Jump | Redirect | Intercept | SetMark | SaveMark | RestoreMark | Zone


class Rule(msgspec.Struct, frozen=True):
    """What to do with which packets, and why."""

    match: Match
    action: Action
    why: str
    """A few words, at most 100 characters of letters, digits, spaces and `-,.:`."""


class Chain(msgspec.Struct, frozen=True):
    """Rules asked in order; after the last one the chain returns."""

    table: Table
    name: str
    """Unique in its table: small letters and `_`."""
    hook: Hook | None
    """None: asked by jumps only."""
    rules: tuple[Rule, ...]


class Ruleset(msgspec.Struct, frozen=True):
    """All chains, none of them empty; each that is jumped to comes before the ones that do."""

    chains: tuple[Chain, ...]
    ipv6: bool
    """Whether IPv6 packets are asked about at all."""
    trace: bool = False
    """Report each decision (all actions but jumps and marks) to netlink log group 1337."""
