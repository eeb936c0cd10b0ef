"""Capture: what is excluded is never redirected, what is included always is, and every renderer says the same."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import hypothesis.strategies as st
from hypothesis import assume, given

from lateen.capture import iptables, nftables
from lateen.capture.capture import Capture, Dns, Mode, Owners, PortRange
from lateen.capture.plan import ruleset
from lateen.capture.rules import Hook, Protocol
from lateen.testing.packets import Fate, Packet, travel
from lateen.testing.rule_texts import read_iptables, read_nftables

# Few values, so that packets meet the rules.
ADDRESSES = [
    ip_address(each)
    for each in (
        "10.0.0.1",
        "10.0.0.2",
        "10.9.0.1",
        "127.0.0.1",
        "127.0.0.6",
        "127.1.0.1",
        "fd00::1",
        "fd09::1",
        "::1",
        "::6",
    )
]
NETWORKS = [
    ip_network(each) for each in ("10.0.0.0/8", "10.9.0.0/16", "127.1.0.0/16", "fd00::/16", "fd09::/16", "0.0.0.0/0")
]
ROUTABLE = [each for each in ADDRESSES if not each.is_loopback and each != ip_address("::6")]
PORTS = [22, 53, 80, 443, 8080, 8085, 15008, 15053]
RANGES = [
    *(PortRange(port, port) for port in PORTS),
    PortRange(8000, 8999),
    *(PortRange(n, n) for n in range(1, 40, 2)),
]
INTERFACES = ["lo", "eth0", "eth1", "vm0"]
IDS = [0, 1000, 1337, 2000]


def some(values: list, most: int = 3) -> st.SearchStrategy:
    return st.lists(st.sampled_from(values), unique=True, max_size=most).map(tuple)


def captures(**fixed: st.SearchStrategy) -> st.SearchStrategy[Capture]:
    every = {
        "proxy_uids": st.sampled_from([(1337,), (1337, 2000)]),
        "proxy_gids": st.sampled_from([(1337,), (0, 1337)]),
        "mode": st.sampled_from(Mode),
        "inbound_ports": st.none() | some(RANGES, 20),
        "inbound_ports_excluded": some(RANGES, 20),
        "outbound_networks": st.none() | some(NETWORKS),
        "outbound_networks_excluded": some(NETWORKS),
        "outbound_ports": some(RANGES, 20),
        "outbound_ports_excluded": some(RANGES, 20),
        "owners": st.builds(Owners, some(IDS), st.booleans()),
        "loopback": st.sampled_from([ip_network("127.0.0.1/32"), ip_network("127.0.0.0/8")]),
        "virtual_interfaces": some(["vm0", "v+"]),
        "excluded_interfaces": some(["eth1", "eth+", "lo"], 1),
        "dns": st.none() | st.just(Dns()) | st.builds(Dns, some([ADDRESSES[1], ADDRESSES[6]])),
        "drop_invalid": st.booleans(),
        "ipv6": st.booleans(),
        "trace": st.booleans(),
    }
    return st.builds(Capture, **(every | fixed))


@st.composite
def packets(draw: st.DrawFn, addresses: list = ADDRESSES, **fixed: st.SearchStrategy) -> Packet:
    destination = draw(st.sampled_from(addresses))
    every = {
        "hook": st.sampled_from(Hook),
        "protocol": st.sampled_from(Protocol),
        "interface": st.sampled_from(INTERFACES),
        "source": st.sampled_from([each for each in ADDRESSES if each.version == destination.version]),
        "source_port": st.sampled_from([40000, 53, 15053]),
        "port": st.sampled_from(PORTS),
        "uid": st.sampled_from(IDS),
        "gid": st.sampled_from(IDS),
        "mark": st.sampled_from([0, 1337, 1338]),
        "connection_mark": st.sampled_from([0, 1337]),
        "state": st.sampled_from(["new", "new", "established", "invalid"]),
    }
    return Packet(destination=destination, **{name: draw(each) for name, each in (every | fixed).items()})


def within(port: int, ranges: tuple[PortRange, ...]) -> bool:
    return any(port in each for each in ranges)


def owned_by_proxy(capture: Capture, packet: Packet) -> bool:
    return packet.uid in capture.proxy_uids or packet.gid in capture.proxy_gids


def owner_captured(capture: Capture, packet: Packet) -> bool:
    return (packet.gid in capture.owners.gids) is not capture.owners.excluded


def untouched(packet: Packet) -> Fate:
    return Fate(mark=packet.mark, connection_mark=packet.connection_mark)


@given(captures(), packets())
def test_each_renderer_says_what_the_model_says(capture: Capture, packet: Packet) -> None:
    rules = ruleset(capture)
    fate = travel(rules, packet)
    assert travel(read_nftables(nftables.script(rules)), packet) == fate
    text = iptables.restore_text(rules, packet.destination.version, "")
    assert travel(read_iptables(text), packet) == fate


@given(captures(ipv6=st.just(False)), packets(ADDRESSES[6:]))
def test_ipv6_is_left_alone_unless_asked_for(capture: Capture, packet: Packet) -> None:
    assert travel(ruleset(capture), packet) == untouched(packet)


@given(captures(excluded_interfaces=st.sampled_from([("eth1",), ("eth+",)])), packets(interface=st.just("eth1")))
def test_nothing_happens_by_an_excluded_interface(capture: Capture, packet: Packet) -> None:
    assert travel(ruleset(capture), packet) == untouched(packet)


@given(
    captures(),
    packets(hook=st.just(Hook.OUTPUT), uid=st.just(1337)) | packets(hook=st.just(Hook.OUTPUT), gid=st.just(1337)),
)
def test_the_proxy_never_meets_itself(capture: Capture, packet: Packet) -> None:
    """Else its connections would circle."""
    fate = travel(ruleset(capture), packet)
    to_itself = packet.interface == "lo" and packet.protocol is Protocol.TCP
    if not to_itself or packet.uid in capture.proxy_uids:
        assert fate.redirected in (None, capture.inbound_port)
    if fate.redirected == capture.inbound_port:
        assert to_itself
        assert packet.port != capture.tunnel_port


@given(captures(), packets(hook=st.just(Hook.OUTPUT)))
def test_excluded_destinations_and_ports_and_owners_are_never_sent_to_the_proxy(
    capture: Capture, packet: Packet
) -> None:
    address = any(packet.destination in each for each in capture.outbound_networks_excluded)
    port = within(packet.port, capture.outbound_ports_excluded)
    own = packet.interface == "lo" and packet.source in (ADDRESSES[4], ADDRESSES[9])
    itself = (
        packet.destination in capture.loopback
        if packet.destination.version == 4
        else packet.destination == ADDRESSES[8]
    )
    assume(address or port or own or itself or not owner_captured(capture, packet) or packet.protocol is Protocol.UDP)
    fate = travel(ruleset(capture), packet)
    assert fate.redirected != capture.proxy_port
    if port or own:
        assert fate.redirected is None


@given(
    captures(excluded_interfaces=st.just(())),
    packets(
        ROUTABLE,
        hook=st.just(Hook.OUTPUT),
        protocol=st.just(Protocol.TCP),
        interface=st.just("eth0"),
        state=st.just("new"),
        uid=st.just(1000),
        gid=st.sampled_from([1000, 1001]),
    ),
)
def test_the_applications_connections_go_to_the_proxy(capture: Capture, packet: Packet) -> None:
    fate = travel(ruleset(capture), packet)
    family = packet.destination.version == 4 or capture.ipv6
    if not (family and owner_captured(capture, packet)) or within(packet.port, capture.outbound_ports_excluded):
        assert fate.redirected is None
        return
    asked = capture.dns and packet.port == 53
    if asked and capture.dns and (capture.dns.servers is None or packet.destination in capture.dns.servers):
        assert fate.redirected == capture.dns.port
        return
    included = (
        capture.outbound_networks is None
        or within(packet.port, capture.outbound_ports)
        or any(packet.destination in each for each in capture.outbound_networks)
    )
    excluded = any(packet.destination in each for each in capture.outbound_networks_excluded)
    assert fate.redirected == (capture.proxy_port if included and not excluded else None)


@given(
    captures(excluded_interfaces=st.just(()), ipv6=st.just(True)),
    packets(
        ROUTABLE,
        hook=st.just(Hook.PREROUTING),
        protocol=st.just(Protocol.TCP),
        interface=st.just("eth0"),
        state=st.just("new"),
        mark=st.just(0),
    ),
)
def test_inbound_connections_go_to_the_proxy(capture: Capture, packet: Packet) -> None:
    fate = travel(ruleset(capture), packet)
    if capture.inbound_ports is None:
        captured = not within(packet.port, capture.inbound_ports_excluded)
    else:
        captured = within(packet.port, capture.inbound_ports)
    there = capture.inbound_port if captured and packet.port != capture.tunnel_port else None
    assert (fate.redirected, fate.intercepted) == ((there, None) if capture.mode is Mode.REDIRECT else (None, there))


@given(captures(virtual_interfaces=st.just(("v+",))), packets(hook=st.just(Hook.PREROUTING), interface=st.just("vm0")))
def test_virtual_machines_send_as_applications_do(capture: Capture, packet: Packet) -> None:
    fate = travel(ruleset(capture), packet)
    assert fate.redirected in (None, capture.proxy_port)
    assert fate.intercepted is None
    excluded = any(packet.destination in each for each in capture.outbound_networks_excluded)
    if excluded or within(packet.port, capture.outbound_ports_excluded) or packet.protocol is Protocol.UDP:
        assert fate.redirected is None


@given(captures(), packets())
def test_only_what_belongs_to_no_connection_is_dropped(capture: Capture, packet: Packet) -> None:
    fate = travel(ruleset(capture), packet)
    assert not fate.dropped or (capture.drop_invalid and packet.state == "invalid" and packet.hook is Hook.PREROUTING)


@given(captures(), packets())
def test_queries_and_answers_of_agent_and_application_are_tracked_apart(capture: Capture, packet: Packet) -> None:
    zone = travel(ruleset(capture), packet).zone
    if zone:
        assert capture.dns
        assert packet.protocol is Protocol.UDP
    if zone and packet.port == 53 and packet.hook is Hook.OUTPUT and packet.source_port == 40000:
        assert zone == (1 if owned_by_proxy(capture, packet) else 2)
    if zone and packet.hook is Hook.PREROUTING:
        assert packet.source_port == 53
