"""What is to be captured: the wish, free of how the kernel is told."""

from __future__ import annotations

import enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeAlias

import msgspec

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

PASSTHROUGH_V4: Final = IPv4Network("127.0.0.6/32")
PASSTHROUGH_V6: Final = IPv6Network("::6/128")
"""The source addresses of the proxy's connections to its own application (its inbound clusters bind to them)."""
LOOPBACK_V6: Final = IPv6Network("::1/128")


class Mode(enum.Enum):
    """How inbound connections reach the proxy. Source: `ISTIO_INBOUND_INTERCEPTION_MODE`."""

    REDIRECT = "REDIRECT"
    """The destination is rewritten; the proxy asks the kernel for the original one and sees the client's address."""
    TPROXY = "TPROXY"
    """Nothing is rewritten; the application may be shown the client's address too."""


class PortRange(msgspec.Struct, frozen=True, order=True):
    """Ports `first` to `last`, both included."""

    first: int
    last: int

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last


class Owners(msgspec.Struct, frozen=True):
    """Groups of processes: those in `gids`, or with `excluded` all but those."""

    gids: tuple[int, ...] = ()
    excluded: bool = True


class Dns(msgspec.Struct, frozen=True):
    """DNS queries (UDP and TCP, port 53) that go to the agent."""

    servers: tuple[Address, ...] | None = None
    """Queries to these servers only; None: to any."""
    port: int = 15053
    """Where the agent answers."""


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """What traffic of a network namespace goes to the proxy. Port and address lists are merged and in order, so that
    equal wishes are equal values. Source: the options of Istio's `istio-iptables`."""

    proxy_port: int = 15001
    """Outbound connections go here."""
    inbound_port: int = 15006
    """Inbound connections go here."""
    tunnel_port: int = 15008
    """HBONE: the proxy listens on it itself, so it is never redirected."""
    proxy_uids: tuple[int, ...] = (1337,)
    proxy_gids: tuple[int, ...] = (1337,)
    """What processes of these users and groups send is the proxy's own, and leaves as it is."""
    mode: Mode = Mode.REDIRECT
    tproxy_mark: int = 1337
    tproxy_table: int = 133

    inbound_ports: tuple[PortRange, ...] | None = ()
    """Ports whose inbound connections are captured; None: all but `inbound_ports_excluded`."""
    inbound_ports_excluded: tuple[PortRange, ...] = ()
    """Counts only when all ports are captured."""

    outbound_networks: tuple[Network, ...] | None = ()
    """Destinations whose connections are captured; None: all."""
    outbound_networks_excluded: tuple[Network, ...] = ()
    outbound_ports: tuple[PortRange, ...] = ()
    """Destination ports captured whatever the address is, unless that is excluded."""
    outbound_ports_excluded: tuple[PortRange, ...] = ()
    """Destination ports, TCP and UDP, that are never captured."""
    owners: Owners = Owners()
    """Whose outbound connections are captured."""
    loopback: IPv4Network = IPv4Network("127.0.0.1/32")
    """What the application means itself by, and reaches without a proxy."""

    virtual_interfaces: tuple[str, ...] = ()
    """What comes in by these (from a virtual machine in the pod) counts as outbound."""
    excluded_interfaces: tuple[str, ...] = ()
    """What comes or goes by these is not touched."""

    dns: Dns | None = None
    drop_invalid: bool = False
    """Drop packets that belong to no connection, instead of answering them with a reset."""
    ipv6: bool = False
    """Whether IPv6 is captured too; IPv4 always is."""
    trace: bool = False
    """Report each decision to netlink log group 1337."""

    @property
    def reaches_loopback(self) -> bool:
        """Whether connections to loopback addresses are captured because the user named one."""
        return any(each.network_address.is_loopback for each in self.outbound_networks or ())

    @property
    def tproxy(self) -> bool:
        """Whether inbound connections are captured without being rewritten."""
        return self.mode is Mode.TPROXY and self.inbound_ports != ()
