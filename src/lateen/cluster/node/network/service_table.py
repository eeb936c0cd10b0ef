"""The table `lateen-services` of one family: which scripts bring the kernel from what it has to what is wanted.

Each Service's fragment is diffed against its previous one: a change costs as much as the Services it touches. A
script is one transaction, in an order that nftables accepts: new sets and chains, their rules, elements, removals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lateen.cluster.node.network.service_rules import Fragment, NodeFacts
from lateen.cluster.objects import Key

TABLE = "lateen-services"
_VERDICT_MAPS = ("services", "node-ports", "refused")
_BATCH = 500
"""Elements per statement: a bound on the length of a line, not on their number."""


class ServiceTable:
    """What is wanted of one family, and what the kernel was told."""

    def __init__(self, node: NodeFacts, service_range: str) -> None:
        self._node = node
        self._service_range = service_range
        self._wanted: dict[Key, Fragment] = {}
        self._told: dict[Key, Fragment] = {}
        self._changed: set[Key] = set()
        # Two Services may claim the same external address: one of them has it, the other waits.
        self._claims: dict[tuple[str, str], dict[Key, str]] = {}

    def put(self, key: Key, fragment: Fragment) -> None:
        """Wants a Service to be as the fragment says; an empty one wants it gone."""
        if fragment == Fragment():
            self._wanted.pop(key, None)
        else:
            self._wanted[key] = fragment
        self._changed.add(key)

    def fragment(self, key: Key) -> Fragment:
        """What the kernel was told last of a Service."""
        return self._told.get(key) or Fragment()

    def whole(self) -> str:
        """A script that replaces the table, whatever it is, by what is wanted."""
        self._told, self._claims = {}, {}
        self._changed = set(self._wanted)
        return self._base() + self.changes()

    def changes(self) -> str:
        """A script of what changed since the last one; empty when nothing did. Call it when that one was applied."""
        new: dict[str, tuple[str, ...]] = {}
        gone: list[str] = []
        new_sets: dict[str, str] = {}
        gone_sets: list[str] = []
        added_chains: list[str] = []
        before: dict[tuple[str, str], str | None] = {}
        for key in sorted(self._changed):
            old, wanted = self._told.get(key) or Fragment(), self._wanted.get(key) or Fragment()
            added_chains += [name for name in wanted.chains if name not in old.chains]
            new |= {name: rules for name, rules in wanted.chains.items() if old.chains.get(name) != rules}
            gone += [name for name in old.chains if name not in wanted.chains]
            new_sets |= {name: text for name, text in wanted.sets.items() if name not in old.sets}
            gone_sets += [name for name in old.sets if name not in wanted.sets]
            for element in old.elements.keys() | wanted.elements.keys():
                before.setdefault(element, self._holder(element))
                self._claim(element, key, wanted.elements.get(element))
            if key in self._wanted:
                self._told[key] = wanted
            else:
                self._told.pop(key, None)
        self._changed.clear()
        removed = {e: old for e, old in before.items() if old is not None and old != self._holder(e)}
        added = {e: now for e, old in before.items() if (now := self._holder(e)) is not None and now != old}

        table = f"{self._node.ip} {TABLE}"
        lines = [f"add set {table} {name} {{ {text} }}" for name, text in new_sets.items()]
        lines += [f"add chain {table} {name}" for name in added_chains]
        lines += [f"flush chain {table} {name}" for name in new if name not in added_chains]
        lines += [f"add rule {table} {name} {rule}" for name, rules in new.items() for rule in rules]
        lines += _element_lines("delete", table, removed)
        lines += _element_lines("add", table, added)
        # A chain that still refers to another keeps it from being deleted.
        lines += [f"flush chain {table} {name}" for name in gone]
        lines += [f"delete chain {table} {name}" for name in gone]
        lines += [f"delete set {table} {name}" for name in gone_sets]
        return "".join(f"{line}\n" for line in lines)

    def _holder(self, element: tuple[str, str]) -> str | None:
        claims = self._claims.get(element)
        return claims[min(claims)] if claims else None

    def _claim(self, element: tuple[str, str], key: Key, verdict: str | None) -> None:
        if verdict is not None:
            self._claims.setdefault(element, {})[key] = verdict
            return
        claims = self._claims.get(element)
        if claims is not None:
            claims.pop(key, None)
            if not claims:
                del self._claims[element]

    def _base(self) -> str:
        node, ip = self._node, self._node.ip
        address = "ipv4_addr" if node.family == "IPv4" else "ipv6_addr"
        refusal = "icmp" if node.family == "IPv4" else "icmpv6"
        return f"""add table {ip} {TABLE}
delete table {ip} {TABLE}
table {ip} {TABLE} {{
  map services {{
    type {address} . inet_proto . inet_service : verdict
  }}
  map node-ports {{
    type inet_proto . inet_service : verdict
  }}
  map refused {{
    type {address} . inet_proto . inet_service : verdict
  }}
  set cluster-ips {{
    type {address}
  }}
  set hairpin {{
    type {address} . {address}
  }}
  chain dispatch {{
    {ip} daddr . meta l4proto . th dport vmap @services
    {ip} daddr {node.address} meta l4proto . th dport vmap @node-ports
  }}
  chain refuse {{
    meta l4proto tcp reject with tcp reset
    reject with {refusal} type port-unreachable
  }}
  chain check {{
    {ip} daddr . meta l4proto . th dport vmap @refused
    {ip} daddr @cluster-ips goto refuse
    {ip} daddr {self._service_range} drop
  }}
  chain prerouting {{
    type nat hook prerouting priority -100; policy accept;
    jump dispatch
  }}
  chain nat-output {{
    type nat hook output priority -100; policy accept;
    jump dispatch
  }}
  chain input {{
    type filter hook input priority 0; policy accept;
    ct state new jump check
  }}
  chain forward {{
    type filter hook forward priority 0; policy accept;
    ct state new jump check
  }}
  chain output {{
    type filter hook output priority 0; policy accept;
    ct state new jump check
  }}
  chain postrouting {{
    type nat hook postrouting priority 100; policy accept;
    meta mark and 0x4000 != 0 jump masquerade-marked
    ct status dnat {ip} saddr . {ip} daddr @hairpin masquerade fully-random
  }}
  chain masquerade-marked {{
    meta mark set meta mark xor 0x4000
    masquerade fully-random
  }}
}}
"""


def _element_lines(verb: str, table: str, elements: Mapping[tuple[str, str], str]) -> Iterable[str]:
    by_map: dict[str, list[str]] = {}
    for (name, key), verdict in sorted(elements.items()):
        by_map.setdefault(name, []).append(f"{key} : {verdict}" if name in _VERDICT_MAPS else key)
    for name, texts in by_map.items():
        for start in range(0, len(texts), _BATCH):
            yield f"{verb} element {table} {name} {{ {', '.join(texts[start : start + _BATCH])} }}"
