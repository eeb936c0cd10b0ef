"""By what a sidecar tells callers apart on one port: mutual TLS of the mesh, other TLS, plain text; HTTP or not.

A server cannot look inside of TLS before it has chosen how to go on, so callers of the mesh say by ALPN that they are,
and what they carry.
"""

from __future__ import annotations

from typing import NamedTuple

from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.model.protocol import Protocol
from lateen.translate.listeners.outbound import PLAINTEXT_HTTP_ALPN, RAW_BUFFER
from lateen.translate.tls.alpn import MESH_ALPN, MESH_HTTP

TLS = "tls"
_MESH_TCP = tuple(name for name in MESH_ALPN if name not in MESH_HTTP)


class ChainMatch(NamedTuple):
    """One way in which callers arrive."""

    is_http: bool
    transport: str
    """`tls` or `raw_buffer`; empty for any."""
    alpn: tuple[str, ...] = ()
    """Any of these; empty for any."""
    terminates: bool = False
    """TLS ends here; otherwise bytes are passed on as they come."""
    refuses: bool = False
    """Connections are closed."""


_STRICT = (ChainMatch(True, TLS, MESH_HTTP, True), ChainMatch(False, TLS, (), True))
_STRICT_HTTP = (ChainMatch(True, TLS, (), True),)
_STRICT_TCP = (ChainMatch(False, TLS, (), True),)
_PLAIN = (ChainMatch(True, RAW_BUFFER, PLAINTEXT_HTTP_ALPN), ChainMatch(False, RAW_BUFFER))
_PLAIN_HTTP = (ChainMatch(True, RAW_BUFFER),)
_PLAIN_TCP = (ChainMatch(False, RAW_BUFFER),)
_FOREIGN_TLS = (ChainMatch(False, TLS),)
"""Of clients outside of the mesh: the application's own matter."""
_REFUSED = (ChainMatch(False, "", refuses=True),)
"""A chain all the same: those for all ports would take the connections otherwise."""
_PERMISSIVE = (ChainMatch(True, TLS, MESH_HTTP, True), ChainMatch(False, TLS, _MESH_TCP, True), *_PLAIN, *_FOREIGN_TLS)
_PERMISSIVE_HTTP = (ChainMatch(True, TLS, MESH_ALPN, True), *_PLAIN_HTTP)
_PERMISSIVE_TCP = (ChainMatch(False, TLS, MESH_ALPN, True), *_PLAIN_TCP, *_FOREIGN_TLS)


def chain_matches(mode: MutualTLSMode, protocol: Protocol, *, has_identity: bool = True) -> tuple[ChainMatch, ...]:
    """The ways in which callers may arrive at a port, given what is asked of them. All others are refused.

    Where nothing is asked nobody looks for TLS either, so that servers may speak first, and TLS is bytes to pass on.
    A proxy without an identity in the mesh (`has_identity`) refuses everybody where TLS of the mesh is demanded; it is
    never PERMISSIVE.
    """
    if mode is MutualTLSMode.STRICT and not has_identity:
        return _REFUSED
    if mode is MutualTLSMode.STRICT:
        return _by_protocol(protocol, _STRICT_HTTP, _STRICT_TCP, _STRICT)
    if mode is MutualTLSMode.DISABLE:
        return _by_protocol(protocol, _PLAIN_HTTP, _PLAIN_TCP, _PLAIN)
    return _by_protocol(protocol, _PERMISSIVE_HTTP, _PERMISSIVE_TCP, _PERMISSIVE)


def own_tls_matches(protocol: Protocol) -> tuple[ChainMatch, ...]:
    """The only way to a port whose own TLS the proxy terminates."""
    return _STRICT_HTTP if protocol.is_http else _STRICT_TCP


def _by_protocol(
    protocol: Protocol, http: tuple[ChainMatch, ...], tcp: tuple[ChainMatch, ...], sniffed: tuple[ChainMatch, ...]
) -> tuple[ChainMatch, ...]:
    if protocol.is_http:
        return http
    return sniffed if protocol.is_sniffed else tcp
