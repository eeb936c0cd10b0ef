from __future__ import annotations

from lateen.capture.capture import Capture, PortRange
from lateen.capture.iptables import restore_text
from lateen.capture.plan import ruleset

FIFTEEN = tuple(PortRange(port, port) for port in range(100, 130, 2))


def port_conditions(*ports: PortRange) -> list[str]:
    text = restore_text(ruleset(Capture(inbound_ports=ports)), 4, "")
    return [
        line.removeprefix("-A ISTIO_INBOUND -p tcp ").removesuffix(" -j REDIRECT --to-ports 15006")
        for line in text.splitlines()
        if line.startswith("-A ISTIO_INBOUND") and "15006" in line
    ]


def test_one_rule_takes_fifteen_ports() -> None:
    assert port_conditions(PortRange(80, 80)) == ["--dport 80"]
    assert port_conditions(PortRange(80, 90)) == ["--dport 80:90"]
    assert port_conditions(*FIFTEEN) == [f"-m multiport --dports {','.join(str(each.first) for each in FIFTEEN)}"]
    assert [each.count(",") for each in port_conditions(*FIFTEEN, PortRange(443, 443))] == [14, 0]


def test_a_range_counts_as_two() -> None:
    found = port_conditions(*FIFTEEN[:14], PortRange(8000, 8010), PortRange(9000, 9000))
    assert found[1:] == ["-m multiport --dports 8000:8010,9000"]


def test_each_family_has_its_own_rules() -> None:
    rules = ruleset(Capture(outbound_networks=None, ipv6=True))
    four, six = restore_text(rules, 4, ""), restore_text(rules, 6, "")
    assert "-s 127.0.0.6/32" in four
    assert "::" not in four
    assert "-s ::6/128" in six
    assert "127.0.0" not in six


def test_without_ipv6_nothing_is_written_for_it() -> None:
    assert restore_text(ruleset(Capture(outbound_networks=None)), 6, "") == ""
    assert restore_text(None, 4, "*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j DOCKER\nCOMMIT\n") == ""
