"""From what is to be captured to the rules that do it. Pure.

The order of the rules is their meaning; it follows Istio's (tools/istio-iptables), which applications rely on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Final

from lateen.capture.capture import LOOPBACK_V6, PASSTHROUGH_V4, PASSTHROUGH_V6, Capture, Dns, Mode, Network, PortRange
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

OWN_CALL_MARK: Final = 1338
"""With TPROXY: on packets of the proxy to its own pod, which are inbound like any other client's."""
_DNS_PORT: Final = PortRange(53, 53)
_UPSTREAM_ZONE: Final = 1
_CLIENT_ZONE: Final = 2
_RETURN: Final = Return()
_BOTH: Final = (Protocol.TCP, Protocol.UDP)


def ruleset(capture: Capture) -> Ruleset:
    """The rules that capture what is asked for."""
    chains = (
        Chain(Table.RAW, "inbound", Hook.PREROUTING, tuple(_raw_inbound(capture))),
        Chain(Table.RAW, "output", Hook.OUTPUT, tuple(_raw_output(capture))),
        Chain(Table.MANGLE, "divert", None, tuple(_divert(capture))),
        Chain(Table.MANGLE, "inbound", Hook.PREROUTING, tuple(_mangle_inbound(capture))),
        Chain(Table.MANGLE, "output", Hook.OUTPUT, tuple(_mangle_output(capture))),
        Chain(Table.NAT, "outbound", None, tuple(_outbound(capture))),
        Chain(Table.NAT, "inbound", Hook.PREROUTING, tuple(_nat_inbound(capture))),
        Chain(Table.NAT, "output", Hook.OUTPUT, tuple(_nat_output(capture))),
    )
    return Ruleset(tuple(chain for chain in chains if chain.rules), capture.ipv6, capture.trace)


def _not_loopback(capture: Capture) -> tuple[Network, ...]:
    return (capture.loopback, LOOPBACK_V6)


def _by_version(networks: Iterable[Network]) -> Iterator[tuple[Network, ...]]:
    found = tuple(networks)
    for version in (4, 6):
        if some := tuple(each for each in found if each.version == version):
            yield some


# What leaves.


def _nat_output(capture: Capture) -> Iterator[Rule]:
    for name in capture.excluded_interfaces:
        yield Rule(Match(out_interface=name), _RETURN, "excluded interface")
    if capture.outbound_ports_excluded:
        for protocol in _BOTH:
            match = Match(protocol=protocol, ports=capture.outbound_ports_excluded)
            yield Rule(match, _RETURN, "excluded outbound port")
    if capture.tproxy:
        # Istio needs no such rule, since there a proxy that intercepts runs as root, in the proxy's group.
        match = Match(protocol=Protocol.TCP, out_interface="lo", mark=capture.tproxy_mark)
        yield Rule(match, _RETURN, "proxy to its application")
    for own in (PASSTHROUGH_V4, PASSTHROUGH_V6):
        yield Rule(Match(out_interface="lo", sources=(own,)), _RETURN, "proxy to its application")
    yield from _own_traffic(capture)
    if capture.owners.gids and capture.owners.excluded:
        yield Rule(Match(gids=capture.owners.gids), _RETURN, "excluded owner group")
    elif not capture.owners.excluded:
        yield Rule(Match(not_gids=capture.owners.gids), _RETURN, "not an included owner group")
    yield from _dns_queries(capture)
    for loopback in _not_loopback(capture):
        yield Rule(Match(destinations=(loopback,)), _RETURN, "application to itself")
    if _outbound_is_captured(capture):
        yield Rule(Match(protocol=Protocol.TCP), Jump("outbound"), "outbound connections")


def _own_traffic(capture: Capture) -> Iterator[Rule]:
    """What the proxy sends is left alone, but for calls to its own pod: their destination is the inbound side. What the
    application sends to itself is left alone, but for queries to a DNS server on loopback."""
    direct = (_DNS_PORT,) if capture.dns else ()
    for mine, others in (
        (Match(uids=capture.proxy_uids), Match(not_uids=capture.proxy_uids)),
        (Match(gids=capture.proxy_gids), Match(not_gids=capture.proxy_gids)),
    ):
        for loopback in _not_loopback(capture):
            match = Match(
                protocol=Protocol.TCP,
                out_interface="lo",
                not_destination=loopback,
                not_ports=(*direct, PortRange(capture.tunnel_port, capture.tunnel_port)),
                uids=mine.uids,
                gids=mine.gids,
            )
            yield Rule(match, Redirect(capture.inbound_port), "proxy to its own pod")
        if not capture.reaches_loopback:
            match = Match(
                protocol=Protocol.TCP if direct else None,
                out_interface="lo",
                not_ports=direct,
                not_uids=others.not_uids,
                not_gids=others.not_gids,
            )
            yield Rule(match, _RETURN, "application to its own pod")
        yield Rule(mine, _RETURN, "sent by the proxy")


def _dns_queries(capture: Capture) -> Iterator[Rule]:
    if capture.dns:
        for protocol in _BOTH:
            for servers in _dns_servers(capture.dns):
                match = Match(protocol=protocol, destinations=servers, ports=(_DNS_PORT,))
                yield Rule(match, Redirect(capture.dns.port), "DNS query")


def _dns_servers(dns: Dns) -> Iterator[tuple[Network, ...]]:
    if dns.servers is None:
        yield ()
    else:
        yield from _by_version(ip_network(server) for server in dns.servers)


def _outbound_is_captured(capture: Capture) -> bool:
    return capture.outbound_networks != () or bool(capture.outbound_ports)


def _outbound(capture: Capture) -> Iterator[Rule]:
    """Decides by destination, for the application's connections and those of virtual machines."""
    if not _outbound_is_captured(capture):
        return
    redirect = Redirect(capture.proxy_port)
    for networks in _by_version(capture.outbound_networks_excluded):
        yield Rule(Match(destinations=networks), _RETURN, "excluded outbound address")
    if capture.outbound_ports:
        match = Match(protocol=Protocol.TCP, ports=capture.outbound_ports)
        yield Rule(match, redirect, "included outbound port")
    if capture.outbound_networks is None:
        yield Rule(Match(protocol=Protocol.TCP), redirect, "outbound connection")
    else:
        for networks in _by_version(capture.outbound_networks):
            match = Match(protocol=Protocol.TCP, destinations=networks)
            yield Rule(match, redirect, "included outbound address")


# What arrives.


def _nat_inbound(capture: Capture) -> Iterator[Rule]:
    yield from _virtual_machines(capture)
    if capture.inbound_ports == () or capture.mode is not Mode.REDIRECT:
        return
    for name in capture.excluded_interfaces:
        yield Rule(Match(in_interface=name), _RETURN, "excluded interface")
    yield from _inbound_exclusions(capture)
    match = Match(protocol=Protocol.TCP, ports=capture.inbound_ports or ())
    yield Rule(match, Redirect(capture.inbound_port), "inbound connection")


def _virtual_machines(capture: Capture) -> Iterator[Rule]:
    for name in capture.virtual_interfaces:
        if _outbound_is_captured(capture):
            if capture.outbound_ports_excluded:
                match = Match(protocol=Protocol.TCP, in_interface=name, ports=capture.outbound_ports_excluded)
                yield Rule(match, _RETURN, "excluded outbound port")
            match = Match(protocol=Protocol.TCP, in_interface=name)
            yield Rule(match, Jump("outbound"), "from a virtual machine")
        yield Rule(Match(in_interface=name), _RETURN, "from a virtual machine")


def _inbound_exclusions(capture: Capture) -> Iterator[Rule]:
    tunnel = (PortRange(capture.tunnel_port, capture.tunnel_port),)
    yield Rule(Match(protocol=Protocol.TCP, ports=tunnel), _RETURN, "HBONE")
    if capture.inbound_ports is None and capture.inbound_ports_excluded:
        match = Match(protocol=Protocol.TCP, ports=capture.inbound_ports_excluded)
        yield Rule(match, _RETURN, "excluded inbound port")


def _mangle_inbound(capture: Capture) -> Iterator[Rule]:
    if capture.tproxy or capture.drop_invalid:
        for name in capture.excluded_interfaces:
            yield Rule(Match(in_interface=name), _RETURN, "excluded interface")
    if capture.drop_invalid:
        yield Rule(Match(states=("invalid",)), Drop(), "belongs to no connection")
    if not capture.tproxy:
        return
    tcp, mark, ports = Protocol.TCP, capture.tproxy_mark, capture.inbound_ports or ()
    for name in capture.virtual_interfaces:
        yield Rule(Match(in_interface=name), _RETURN, "from a virtual machine")
    # The proxy marks its connections to the application; what the application answers has to find the proxy again.
    yield Rule(Match(protocol=tcp, mark=mark), SaveMark(), "proxy to its application")
    yield Rule(Match(protocol=tcp, mark=mark), _RETURN, "proxy to its application")
    for own in (PASSTHROUGH_V4, PASSTHROUGH_V6):
        yield Rule(Match(protocol=tcp, in_interface="lo", sources=(own,)), _RETURN, "proxy to its application")
    match = Match(protocol=tcp, in_interface="lo", not_mark=OWN_CALL_MARK)
    yield Rule(match, _RETURN, "application to its own pod")
    yield from _inbound_exclusions(capture)
    match = Match(protocol=tcp, ports=ports, states=("established", "related"))
    yield Rule(match, Jump("divert"), "known connection")
    for loopback in _not_loopback(capture):
        match = Match(protocol=tcp, not_destination=loopback, ports=ports)
        yield Rule(match, Intercept(capture.inbound_port, mark), "inbound connection")


def _divert(capture: Capture) -> Iterator[Rule]:
    """Marked packets are routed to this machine's own sockets, whatever address they carry."""
    if capture.tproxy:
        steps: tuple[Action, ...] = (SetMark(capture.tproxy_mark), Accept())
        for step in steps:
            yield Rule(Match(), step, "known connection")


def _mangle_output(capture: Capture) -> Iterator[Rule]:
    if not capture.tproxy:
        return
    tcp, mark = Protocol.TCP, capture.tproxy_mark
    for name in capture.excluded_interfaces:
        yield Rule(Match(out_interface=name), _RETURN, "excluded interface")
    yield Rule(Match(protocol=tcp, out_interface="lo", mark=mark), _RETURN, "proxy to its application")
    for loopback in _not_loopback(capture):
        for owner in (Match(uids=capture.proxy_uids), Match(gids=capture.proxy_gids)):
            match = Match(protocol=tcp, out_interface="lo", not_destination=loopback, uids=owner.uids, gids=owner.gids)
            yield Rule(match, SetMark(OWN_CALL_MARK), "proxy to its own pod")
    yield Rule(Match(protocol=tcp, connection_mark=mark), RestoreMark(), "application to the proxy")


# DNS over UDP: the application's query to the server and the agent's own to the same server may use the same ports.
# Tracked in one zone, the answer to one could be taken for that to the other.


def _raw_output(capture: Capture) -> Iterator[Rule]:
    if capture.dns is None:
        return
    for name in capture.excluded_interfaces:
        yield Rule(Match(out_interface=name), _RETURN, "excluded interface")
    for owner in (Match(uids=capture.proxy_uids), Match(gids=capture.proxy_gids)):
        match = Match(protocol=Protocol.UDP, ports=(_DNS_PORT,), uids=owner.uids, gids=owner.gids)
        yield Rule(match, Zone(_UPSTREAM_ZONE), "DNS query of the agent")
        match = Match(protocol=Protocol.UDP, source_port=capture.dns.port, uids=owner.uids, gids=owner.gids)
        yield Rule(match, Zone(_CLIENT_ZONE), "DNS answer of the agent")
    for servers in _dns_servers(capture.dns):
        match = Match(protocol=Protocol.UDP, destinations=servers, ports=(_DNS_PORT,))
        yield Rule(match, Zone(_CLIENT_ZONE), "DNS query")


def _raw_inbound(capture: Capture) -> Iterator[Rule]:
    if capture.dns is None:
        return
    for name in capture.excluded_interfaces:
        yield Rule(Match(in_interface=name), _RETURN, "excluded interface")
    for servers in _dns_servers(capture.dns):
        match = Match(protocol=Protocol.UDP, sources=servers, source_port=53)
        yield Rule(match, Zone(_UPSTREAM_ZONE), "DNS answer to the agent")
