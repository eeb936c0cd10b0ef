"""What rules of capture do to a packet, worked out without a kernel.

`travel` sends a packet through a rule model. What the renderers write, `rule_texts` reads back into such a model, so
that all can be compared packet by packet."""

from __future__ import annotations

from ipaddress import ip_address

import msgspec

from lateen.capture.capture import Address, PortRange
from lateen.capture.rules import (
    Accept,
    Chain,
    Drop,
    Hook,
    Intercept,
    Jump,
    Match,
    Protocol,
    Redirect,
    RestoreMark,
    Return,
    Ruleset,
    SaveMark,
    SetMark,
    Table,
    Zone,
)


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """The first packet of a connection, unless `state` says otherwise."""

    hook: Hook
    protocol: Protocol = Protocol.TCP
    interface: str = "eth0"
    """The one it came in by, or goes out by."""
    source: Address = ip_address("10.0.0.1")
    destination: Address = ip_address("10.0.0.2")
    source_port: int = 40000
    port: int = 80
    uid: int = 1000
    """Of the sender; means something in the output hook only."""
    gid: int = 1000
    mark: int = 0
    connection_mark: int = 0
    state: str = "new"


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a packet; of one that nothing touches, all is as by default."""

    redirected: int | None = None
    intercepted: int | None = None
    dropped: bool = False
    mark: int = 0
    connection_mark: int = 0
    zone: int = 0


class _Stop(Exception):
    """The table is done with the packet."""


class _Journey:
    def __init__(self, ruleset: Ruleset, packet: Packet) -> None:
        self._ruleset = ruleset
        self._packet = packet
        self.fate = Fate(mark=packet.mark, connection_mark=packet.connection_mark)

    def change(self, **changes: object) -> None:
        self.fate = msgspec.structs.replace(self.fate, **changes)

    def through(self, table: Table) -> None:
        for chain in self._ruleset.chains:
            if chain.table is table and chain.hook is self._packet.hook:
                try:
                    self._ask(chain)
                except _Stop:
                    return

    def _ask(self, chain: Chain) -> None:
        for rule in chain.rules:
            if not self._fits(rule.match):
                continue
            match rule.action:
                case Return():
                    return
                case Accept():
                    raise _Stop
                case Drop():
                    self.change(dropped=True)
                    raise _Stop
                case Jump(name):
                    self._ask(
                        next(each for each in self._ruleset.chains if (each.table, each.name) == (chain.table, name))
                    )
                case Redirect(port):
                    self.change(redirected=port)
                    raise _Stop
                case Intercept(port, mark):
                    self.change(intercepted=port, mark=mark)
                    raise _Stop
                case SetMark(mark):
                    self.change(mark=mark)
                case SaveMark():
                    self.change(connection_mark=self.fate.mark)
                case RestoreMark():
                    self.change(mark=self.fate.connection_mark)
                case Zone(zone):
                    self.change(zone=self.fate.zone or zone)
                    return

    def _fits(self, match: Match) -> bool:
        packet = self._packet
        sent = packet.hook is Hook.OUTPUT
        return (
            match.version in (None, packet.destination.version)
            and match.protocol in (None, packet.protocol)
            and (not match.in_interface or (not sent and _named(match.in_interface, packet.interface)))
            and (not match.out_interface or (sent and _named(match.out_interface, packet.interface)))
            and (not match.sources or any(packet.source in each for each in match.sources))
            and (not match.destinations or any(packet.destination in each for each in match.destinations))
            and (match.not_destination is None or packet.destination not in match.not_destination)
            and match.source_port in (None, packet.source_port)
            and (not match.ports or _within(packet.port, match.ports))
            and not _within(packet.port, match.not_ports)
            and (not match.uids or packet.uid in match.uids)
            and packet.uid not in match.not_uids
            and (not match.gids or packet.gid in match.gids)
            and packet.gid not in match.not_gids
            and match.mark in (None, self.fate.mark)
            and (match.not_mark is None or match.not_mark != self.fate.mark)
            and match.connection_mark in (None, self.fate.connection_mark)
            and (not match.states or packet.state in match.states)
        )


def _named(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern


def _within(port: int, ranges: tuple[PortRange, ...]) -> bool:
    return any(port in each for each in ranges)


def travel(ruleset: Ruleset, packet: Packet) -> Fate:
    """What the rules do to the packet in one hook: raw, mangle, and for the first of a connection nat."""
    journey = _Journey(ruleset, packet)
    if packet.destination.version == 4 or ruleset.ipv6:
        for table in (Table.RAW, Table.MANGLE, *((Table.NAT,) if packet.state == "new" else ())):
            if not journey.fate.dropped:
                journey.through(table)
    return journey.fate
