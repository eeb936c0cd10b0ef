"""The rule model as an nftables script that replaces what an earlier one made, in one transaction. Pure.

Source: nft(8). One table of our own, so that nothing of others is ever touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lateen.capture.capture import PortRange
from lateen.capture.rules import (
    Accept,
    Action,
    Chain,
    Drop,
    Hook,
    Intercept,
    Jump,
    Match,
    Redirect,
    RestoreMark,
    Return,
    Rule,
    Ruleset,
    SaveMark,
    SetMark,
    Table,
    Zone,
)

TABLE: Final = "lateen-capture"
LOG_GROUP: Final = 1337
_BASES: Final = {
    (Table.RAW, Hook.PREROUTING): "type filter hook prerouting priority raw",
    (Table.RAW, Hook.OUTPUT): "type filter hook output priority raw",
    (Table.MANGLE, Hook.PREROUTING): "type filter hook prerouting priority mangle",
    # `route`: a packet whose mark changes is routed anew.
    (Table.MANGLE, Hook.OUTPUT): "type route hook output priority mangle",
    (Table.NAT, Hook.PREROUTING): "type nat hook prerouting priority dstnat",
    # nft 1.0.6 knows `dstnat` in prerouting only.
    (Table.NAT, Hook.OUTPUT): "type nat hook output priority -100",
}


def removal() -> str:
    """A script that removes our table, if there is one."""
    # Adding a table that exists is no error, so this always works.
    return f"table inet {TABLE}\ndelete table inet {TABLE}\n"


def script(ruleset: Ruleset) -> str:
    """A script for `nft -f` that leaves exactly these rules in our table."""
    lines = [f"table inet {TABLE} {{"]
    for chain in ruleset.chains:
        lines += ["", *(f"    {line}" for line in _chain(chain, ruleset))]
    return removal() + "\n".join(lines) + "\n}\n"


def _chain_name(table: Table, name: str) -> str:
    return f"{table.value}-{name.replace('_', '-')}"


def _chain(chain: Chain, ruleset: Ruleset) -> Iterator[str]:
    yield f"chain {_chain_name(chain.table, chain.name)} {{"
    if chain.hook:
        yield f"    {_BASES[chain.table, chain.hook]}; policy accept;"
        if not ruleset.ipv6:
            yield '    meta nfproto ipv6 return comment "IPv6 is not captured"'
    for rule in chain.rules:
        yield f"    {_rule(rule, chain.table, ruleset.trace)}"
    yield "}"


def _rule(rule: Rule, table: Table, trace: bool) -> str:
    log = f'log prefix "lateen: {rule.why} " group {LOG_GROUP}' if trace and decides(rule.action) else ""
    words = (
        *_conditions(rule.match),
        "counter",
        log,
        _verdict(rule.action, rule.match, table),
        f'comment "{rule.why}"',
    )
    return " ".join(filter(None, words))


def decides(action: Action) -> bool:
    """Whether the action says what becomes of a packet."""
    return not isinstance(action, Jump | SetMark | SaveMark | RestoreMark)


def _conditions(match: Match) -> Iterator[str]:
    family = "ip6" if match.version == 6 else "ip"
    if match.in_interface:
        yield f'iifname "{_pattern(match.in_interface)}"'
    if match.out_interface:
        yield f'oifname "{_pattern(match.out_interface)}"'
    # `redirect` and `tproxy` ask for this in the same rule.
    if match.protocol:
        yield f"meta l4proto {match.protocol.value}"
    if match.sources:
        yield f"{family} saddr {_any(match.sources)}"
    if match.destinations:
        yield f"{family} daddr {_any(match.destinations)}"
    if match.not_destination:
        yield f"{family} daddr != {match.not_destination}"
    if match.source_port is not None:
        yield f"th sport {match.source_port}"
    if match.ports:
        yield f"th dport {_any(_ports(match.ports))}"
    if match.not_ports:
        yield f"th dport != {_any(_ports(match.not_ports))}"
    for key, some, none in (("skuid", match.uids, match.not_uids), ("skgid", match.gids, match.not_gids)):
        if some:
            yield f"meta {key} {_any(some)}"
        if none:
            yield f"meta {key} != {_any(none)}"
    if match.mark is not None:
        yield f"meta mark {match.mark}"
    if match.not_mark is not None:
        yield f"meta mark != {match.not_mark}"
    if match.connection_mark is not None:
        yield f"ct mark {match.connection_mark}"
    if match.states:
        yield f"ct state {','.join(match.states)}"


def _pattern(interface: str) -> str:
    return f"{interface[:-1]}*" if interface.endswith("+") else interface


def _ports(ports: tuple[PortRange, ...]) -> tuple[str, ...]:
    return tuple(str(each.first) if each.first == each.last else f"{each.first}-{each.last}" for each in ports)


def _any(values: tuple[object, ...]) -> str:
    return str(values[0]) if len(values) == 1 else f"{{ {', '.join(map(str, values))} }}"


def _verdict(action: Action, match: Match, table: Table) -> str:
    match action:
        case Return():
            return "return"
        case Accept():
            return "accept"
        case Drop():
            return "drop"
        case Jump(chain):
            return f"jump {_chain_name(table, chain)}"
        case Redirect(port):
            return f"redirect to :{port}"
        case Intercept(port, mark):
            family = {4: " ip", 6: " ip6", None: ""}[match.version]
            return f"tproxy{family} to :{port} meta mark set {mark} accept"
        case SetMark(mark):
            return f"meta mark set {mark}"
        case SaveMark():
            return "ct mark set meta mark"
        case RestoreMark():
            return "meta mark set ct mark"
        case Zone(zone):
            return f"ct zone set {zone} return"
