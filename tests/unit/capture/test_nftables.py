from __future__ import annotations

from ipaddress import ip_network

from lateen.capture.capture import Capture, PortRange
from lateen.capture.nftables import removal, script
from lateen.capture.plan import ruleset


def lines(**options: object) -> list[str]:
    return [line.strip() for line in script(ruleset(Capture(**options))).splitlines()]


def test_the_table_is_replaced_as_a_whole() -> None:
    assert script(ruleset(Capture())).startswith(removal() + "table inet lateen-capture {")


def test_several_values_are_one_set() -> None:
    networks = (ip_network("10.0.0.0/8"), ip_network("192.168.0.0/16"), ip_network("fd00::/8"))
    found = lines(outbound_networks=networks, outbound_ports_excluded=(PortRange(22, 22), PortRange(80, 90)))
    assert 'meta l4proto udp th dport { 22, 80-90 } counter return comment "excluded outbound port"' in found
    redirected = "counter redirect to :15001"
    assert (
        f'meta l4proto tcp ip daddr {{ 10.0.0.0/8, 192.168.0.0/16 }} {redirected} comment "included outbound address"'
        in found
    )
    assert f'meta l4proto tcp ip6 daddr fd00::/8 {redirected} comment "included outbound address"' in found


def test_an_open_ending_of_an_interface() -> None:
    assert 'oifname "veth*" counter return comment "excluded interface"' in lines(excluded_interfaces=("veth+",))


def test_what_ipv6_is_not_captured_for_leaves_at_once() -> None:
    without = lines(outbound_networks=None)
    start = without.index("type nat hook output priority -100; policy accept;")
    assert without[start + 1].startswith("meta nfproto ipv6 return")
    assert not any("nfproto" in each for each in lines(outbound_networks=None, ipv6=True))
