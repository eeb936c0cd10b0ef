"""Reads the texts that capture's renderers write, as far as they use their languages, back into a rule model.

Raises ValueError at a word that is not known. Source: nft(8), iptables(8), iptables-extensions(8)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

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
    Protocol,
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


def read_nftables(script: str) -> Ruleset:
    """The model that an nftables script describes."""
    chains: list[tuple[Table, str, Hook | None, list[Rule]]] = []
    ipv6 = True
    for line in script.splitlines():
        words = shlex.split(line.replace(";", ""))
        if words[:1] == ["chain"]:
            table, _, name = words[1].partition("-")
            chains.append((Table(table), name, None, []))
        elif words[:1] == ["type"]:
            found, name, _, rules = chains[-1]
            chains[-1] = (found, name, Hook(words[3]), rules)
        elif words[:4] == ["meta", "nfproto", "ipv6", "return"]:
            ipv6 = False
        elif words and words[0] not in ("table", "delete", "}"):
            chains[-1][3].append(_nft_rule(words))
    return Ruleset(tuple(Chain(table, name, hook, tuple(rules)) for table, name, hook, rules in chains), ipv6)


def _nft_rule(words: list[str]) -> Rule:
    fields: dict[str, Any] = {}
    counter = words.index("counter")
    conditions = words[:counter]
    while conditions:
        key = conditions.pop(0)
        if key in ("meta", "ip", "ip6", "th", "ct"):
            key += f" {conditions.pop(0)}"
        negated = conditions[0] == "!="
        if negated:
            conditions.pop(0)
        values = [conditions.pop(0)]
        if values == ["{"]:
            values = []
            while (word := conditions.pop(0)) != "}":
                values.append(word.rstrip(","))
        fields |= _nft_condition(key, negated, values)
    return Rule(Match(**fields), _nft_action(words[counter + 1 :]), words[-1])


def _nft_condition(key: str, negated: bool, values: list[str]) -> dict[str, Any]:
    numbers = tuple(int(each) for each in values if each.isdecimal())
    networks = tuple(ip_network(each) for each in values) if key.endswith("addr") else ()
    match key, negated:
        case "iifname", False:
            return {"in_interface": values[0].replace("*", "+")}
        case "oifname", False:
            return {"out_interface": values[0].replace("*", "+")}
        case "meta l4proto", False:
            return {"protocol": Protocol(values[0])}
        case (("ip saddr" | "ip6 saddr"), False):
            return {"sources": networks}
        case (("ip daddr" | "ip6 daddr"), False):
            return {"destinations": networks}
        case (("ip daddr" | "ip6 daddr"), True):
            return {"not_destination": networks[0]}
        case "th sport", False:
            return {"source_port": numbers[0]}
        case "th dport", _:
            return {"not_ports" if negated else "ports": tuple(_range(each, "-") for each in values)}
        case "meta skuid", _:
            return {"not_uids" if negated else "uids": numbers}
        case "meta skgid", _:
            return {"not_gids" if negated else "gids": numbers}
        case "meta mark", _:
            return {"not_mark" if negated else "mark": numbers[0]}
        case "ct mark", False:
            return {"connection_mark": numbers[0]}
        case "ct state", False:
            return {"states": tuple(values[0].split(","))}
    raise ValueError(f"{key} {values}")


def _nft_action(words: list[str]) -> Action:
    if words[0] == "log":
        words = words[5:]
    match words[: words.index("comment")]:
        case ["return"]:
            return Return()
        case ["accept"]:
            return Accept()
        case ["drop"]:
            return Drop()
        case ["jump", chain]:
            return Jump(chain.partition("-")[2])
        case ["redirect", "to", port]:
            return Redirect(int(port[1:]))
        case ["tproxy", *_, "to", port, "meta", "mark", "set", mark, "accept"]:
            return Intercept(int(port[1:]), int(mark))
        case ["meta", "mark", "set", "ct", "mark"]:
            return RestoreMark()
        case ["ct", "mark", "set", "meta", "mark"]:
            return SaveMark()
        case ["meta", "mark", "set", mark]:
            return SetMark(int(mark))
        case ["ct", "zone", "set", zone, "return"]:
            return Zone(int(zone))
    raise ValueError(" ".join(words))


def _range(text: str, separator: str) -> PortRange:
    first, _, last = text.partition(separator)
    return PortRange(int(first), int(last or first))


def read_iptables(text: str) -> Ruleset:
    """The model that a text for iptables-restore, or for ip6tables-restore, describes; its packets are of that family.
    A rule of Linux's own chains becomes the first of a chain of that hook."""
    chains: dict[tuple[Table, str], list[Rule]] = {}
    table = Table.RAW
    for line in text.splitlines():
        words = shlex.split(line)
        if line.startswith("*"):
            table = Table(line[1:])
        elif line.startswith(":"):
            chains[table, words[0][1:]] = []
        elif words[:1] == ["-A"]:
            rule = _iptables_rule(words[2:])
            if rule:
                chains.setdefault((table, words[1]), []).append(rule)
        elif words and words[0] not in ("COMMIT", "#"):
            raise ValueError(line)
    hooks = {hook.value.upper(): hook for hook in Hook}
    return Ruleset(
        tuple(Chain(table, name, hooks.get(name), tuple(rules)) for (table, name), rules in chains.items()), True
    )


def _iptables_rule(words: list[str]) -> Rule | None:
    at = words.index("-j")
    if words[at + 1] == "NFLOG":
        return None
    fields: dict[str, Any] = {}
    conditions = words[:at]
    module = ""
    while conditions:
        negated = conditions[0] == "!"
        if negated:
            conditions.pop(0)
        key, value = conditions.pop(0), conditions.pop(0)
        if key == "-m":
            module = value
            continue
        for name, values in _iptables_condition(key, negated, value, module).items():
            fields[name] = (*fields.get(name, ()), *values) if name in ("not_uids", "not_gids") else values
    return Rule(Match(**fields), _iptables_action(words[at + 1 :]), "")


def _iptables_condition(key: str, negated: bool, value: str, module: str) -> dict[str, Any]:
    match key, negated:
        case "-p", False:
            return {"protocol": Protocol(value)}
        case "-i", False:
            return {"in_interface": value}
        case "-o", False:
            return {"out_interface": value}
        case "-s", False:
            return {"sources": (ip_network(value),)}
        case "-d", False:
            return {"destinations": (ip_network(value),)}
        case "-d", True:
            return {"not_destination": ip_network(value)}
        case "--sport", False:
            return {"source_port": int(value)}
        case (("--dport" | "--dports"), _):
            return {"not_ports" if negated else "ports": tuple(_range(each, ":") for each in value.split(","))}
        case "--uid-owner", _:
            return {"not_uids" if negated else "uids": (int(value),)}
        case "--gid-owner", _:
            return {"not_gids" if negated else "gids": (int(value),)}
        case "--mark", False if module == "connmark":
            return {"connection_mark": int(value)}
        case "--mark", _:
            return {"not_mark" if negated else "mark": int(value)}
        case "--ctstate", False:
            return {"states": tuple(value.lower().split(","))}
    raise ValueError(f"{key} {value}")


def _iptables_action(words: Sequence[str]) -> Action:
    match words:
        case ["RETURN"]:
            return Return()
        case ["ACCEPT"]:
            return Accept()
        case ["DROP"]:
            return Drop()
        case ["REDIRECT", "--to-ports", port]:
            return Redirect(int(port))
        case ["TPROXY", "--on-port", port, "--tproxy-mark", mark]:
            return Intercept(int(port), int(mark.partition("/")[0]))
        case ["MARK", "--set-mark", mark]:
            return SetMark(int(mark))
        case ["CONNMARK", "--save-mark"]:
            return SaveMark()
        case ["CONNMARK", "--restore-mark"]:
            return RestoreMark()
        case ["CT", "--zone", zone]:
            return Zone(int(zone))
        case [chain]:
            return Jump(chain)
    raise ValueError(" ".join(words))
