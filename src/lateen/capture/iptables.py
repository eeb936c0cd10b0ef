"""The rule model as texts for `iptables-restore --noflush` and `ip6tables-restore --noflush`. Pure.

Each text replaces what an earlier one made, given what `iptables-save` says is there; each of its tables is one
transaction. Source: iptables(8), iptables-extensions(8).

Chains of ours begin with ISTIO_, and Linux's own chains hold nothing of ours but jumps to them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from lateen.capture.capture import PortRange
from lateen.capture.nftables import LOG_GROUP, decides
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

_PREFIX: Final = "ISTIO_"
_MULTIPORT_SLOTS: Final = 15
"""How many ports one `multiport` takes; a range counts as two."""


class _Found(msgspec.Struct):
    """What an earlier text made in one table."""

    chains: list[str] = []
    jumps: list[str] = []
    """Rules of Linux's own chains that jump to ours, as saved."""


def restore_text(ruleset: Ruleset | None, version: int, saved: str) -> str:
    """The text that leaves exactly these rules (None: none) of ours for IPv4 (`version` 4) or IPv6 (6), where
    `iptables-save` said `saved`. Empty when there is nothing to do."""
    chains = ruleset.chains if ruleset and (version == 4 or ruleset.ipv6) else ()
    found = _found(saved)
    parts = []
    for table in Table:
        lines = tuple(
            _table(
                tuple(chain for chain in chains if chain.table is table),
                found.get(table.value, _Found()),
                version,
                bool(ruleset and ruleset.trace),
            )
        )
        if lines:
            parts += [f"*{table.value}", *lines, "COMMIT"]
    return "\n".join(parts) + "\n" if parts else ""


def _found(saved: str) -> dict[str, _Found]:
    tables: dict[str, _Found] = {}
    table = _Found()
    for line in saved.splitlines():
        words = line.split()
        if line.startswith("*"):
            table = tables.setdefault(line[1:].strip(), _Found())
        elif line.startswith(f":{_PREFIX}"):
            table.chains.append(words[0][1:])
        elif line.startswith("-A ") and not words[1].startswith(_PREFIX) and _jumps_to_ours(words):
            table.jumps.append(line.removeprefix("-A "))
    return tables


def _jumps_to_ours(words: Sequence[str]) -> bool:
    pairs = itertools.pairwise(words)
    return any(flag in ("-j", "-g") and target.startswith(_PREFIX) for flag, target in pairs)


def _table(chains: Sequence[Chain], found: _Found, version: int, trace: bool) -> Iterator[str]:
    names = [_chain_name(chain.name) for chain in chains]
    stale = [name for name in found.chains if name not in names]
    # Declaring a chain empties it if it exists.
    yield from (f":{name} - [0:0]" for name in (*names, *stale))
    yield from (f"-D {jump}" for jump in found.jumps)
    for chain in chains:
        for rule in chain.rules:
            if rule.match.version in (None, version):
                yield f"# {rule.why}"
                yield from (f"-A {_chain_name(chain.name)} {text}" for text in _rule(rule, trace))
    for chain in chains:
        if chain.hook:
            yield f"-A {_hook_name(chain.hook)} -j {_chain_name(chain.name)}"
    yield from (f"-X {name}" for name in stale)


def _chain_name(name: str) -> str:
    return _PREFIX + name.upper()


def _hook_name(hook: Hook) -> str:
    return hook.value.upper()


def _rule(rule: Rule, trace: bool) -> Iterator[str]:
    for conditions in _conditions(rule.match):
        start = "".join(f"{condition} " for condition in conditions)
        if trace and decides(rule.action):
            yield f'{start}-j NFLOG --nflog-group {LOG_GROUP} --nflog-prefix "lateen: {rule.why} "'
        yield f"{start}-j {_target(rule.action)}"


def _conditions(match: Match) -> Iterator[tuple[str, ...]]:
    """The conditions of each rule that the match takes: iptables has no sets."""
    always = []
    if match.protocol:
        always.append(f"-p {match.protocol.value}")
    if match.in_interface:
        always.append(f"-i {match.in_interface}")
    if match.out_interface:
        always.append(f"-o {match.out_interface}")
    if match.not_destination:
        always.append(f"! -d {match.not_destination}")
    if match.source_port is not None:
        always.append(f"--sport {match.source_port}")
    # Several at once would have to be one multiport; more than fit are not asked for by any plan.
    always += [_port_condition(match.not_ports, "! ")] if match.not_ports else []
    always += [f"-m owner ! --uid-owner {uid}" for uid in match.not_uids]
    always += [f"-m owner ! --gid-owner {gid}" for gid in match.not_gids]
    if match.mark is not None:
        always.append(f"-m mark --mark {match.mark}")
    if match.not_mark is not None:
        always.append(f"-m mark ! --mark {match.not_mark}")
    if match.connection_mark is not None:
        always.append(f"-m connmark --mark {match.connection_mark}")
    if match.states:
        always.append(f"-m conntrack --ctstate {','.join(state.upper() for state in match.states)}")
    alternatives = (
        [f"-s {network}" for network in match.sources],
        [f"-d {network}" for network in match.destinations],
        [_port_condition(ports, "") for ports in _batches(match.ports)],
        [f"-m owner --uid-owner {uid}" for uid in match.uids],
        [f"-m owner --gid-owner {gid}" for gid in match.gids],
    )
    for chosen in itertools.product(*(each for each in alternatives if each)):
        yield (*always, *chosen)


def _batches(ports: Sequence[PortRange]) -> Iterator[tuple[PortRange, ...]]:
    batch: list[PortRange] = []
    slots = 0
    for each in ports:
        needed = 1 if each.first == each.last else 2
        if slots + needed > _MULTIPORT_SLOTS:
            yield tuple(batch)
            batch, slots = [], 0
        batch.append(each)
        slots += needed
    if batch:
        yield tuple(batch)


def _port_condition(ports: Sequence[PortRange], negation: str) -> str:
    texts = [str(each.first) if each.first == each.last else f"{each.first}:{each.last}" for each in ports]
    if len(texts) == 1:
        return f"{negation}--dport {texts[0]}"
    return f"-m multiport {negation}--dports {','.join(texts)}"


def _target(action: Action) -> str:
    match action:
        case Return():
            return "RETURN"
        case Accept():
            return "ACCEPT"
        case Drop():
            return "DROP"
        case Jump(chain):
            return _chain_name(chain)
        case Redirect(port):
            return f"REDIRECT --to-ports {port}"
        case Intercept(port, mark):
            return f"TPROXY --on-port {port} --tproxy-mark {mark}/0xffffffff"
        case SetMark(mark):
            return f"MARK --set-mark {mark}"
        case SaveMark():
            return "CONNMARK --save-mark"
        case RestoreMark():
            return "CONNMARK --restore-mark"
        case Zone(zone):
            # Only the first CT rule that fits a packet counts, so that going on has the same end as returning.
            return f"CT --zone {zone}"
