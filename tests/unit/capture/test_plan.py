from __future__ import annotations

from lateen.capture.capture import Capture, Dns, Mode
from lateen.capture.plan import ruleset
from lateen.capture.rules import Jump, Table


def test_equal_wishes_are_equal_rules() -> None:
    wish = Capture(inbound_ports=None, outbound_networks=None, dns=Dns(), mode=Mode.TPROXY, ipv6=True)
    assert ruleset(wish) == ruleset(wish)


def test_tables_are_made_only_for_what_needs_them() -> None:
    def tables(wish: Capture) -> set[Table]:
        return {chain.table for chain in ruleset(wish).chains}

    assert tables(Capture(inbound_ports=None, outbound_networks=None)) == {Table.NAT}
    assert tables(Capture(dns=Dns())) == {Table.NAT, Table.RAW}
    assert tables(Capture(drop_invalid=True)) == {Table.NAT, Table.MANGLE}
    assert tables(Capture(mode=Mode.TPROXY)) == {Table.NAT}
    assert tables(Capture(mode=Mode.TPROXY, inbound_ports=None)) == {Table.NAT, Table.MANGLE}


def test_chains_that_are_jumped_to_come_first() -> None:
    every = Capture(
        inbound_ports=None, outbound_networks=None, dns=Dns(), mode=Mode.TPROXY, virtual_interfaces=("vm0",)
    )
    seen: set[tuple[Table, str]] = set()
    for chain in ruleset(every).chains:
        assert chain.rules
        for rule in chain.rules:
            if isinstance(rule.action, Jump):
                assert (chain.table, rule.action.chain) in seen
            assert len(rule.why) <= 100
        seen.add((chain.table, chain.name))
