"""Listener filters: what looks at a connection before its filter chain is chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from envoy.config.listener.v3 import listener_components_pb2
from envoy.extensions.filters.listener.http_inspector.v3 import http_inspector_pb2
from envoy.extensions.filters.listener.original_dst.v3 import original_dst_pb2
from envoy.extensions.filters.listener.original_src.v3 import original_src_pb2
from envoy.extensions.filters.listener.proxy_protocol.v3 import proxy_protocol_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2

MARK = 1337
"""What connections with the client's own address are marked with, so that they are not captured again."""

_Predicate = listener_components_pb2.ListenerFilterChainMatchPredicate


def add_original_destination(listener: Any) -> None:
    """Recovers where a redirected connection was going to."""
    _add(listener, "envoy.filters.listener.original_dst", original_dst_pb2.OriginalDst())


def add_original_source(listener: Any) -> None:
    """The application sees the client's own address (TPROXY)."""
    _add(listener, "envoy.filters.listener.original_src", original_src_pb2.OriginalSrc(mark=MARK))


def add_proxy_protocol(listener: Any) -> None:
    """Takes the client's address from the PROXY protocol; connections without it are let in as well."""
    config = proxy_protocol_pb2.ProxyProtocol(allow_requests_without_proxy_protocol=True)
    _add(listener, "envoy.filters.listener.proxy_protocol", config)


def add_tls_inspector(listener: Any, except_ports: Iterable[int] = (), only_ports: Iterable[int] = ()) -> None:
    """Finds TLS, its server name and ALPN. Not on some ports (of the original destination), or on some only."""
    name = "envoy.filters.listener.tls_inspector"
    _disable(_add(listener, name, tls_inspector_pb2.TlsInspector()), except_ports, only_ports)


def add_http_inspector(listener: Any, except_ports: Iterable[int] = ()) -> None:
    """Finds HTTP. After the TLS inspector: inside of TLS there is nothing to see."""
    name = "envoy.filters.listener.http_inspector"
    _disable(_add(listener, name, http_inspector_pb2.HttpInspector()), except_ports, ())


def _add(listener: Any, name: str, config: Any) -> Any:
    added = listener.listener_filters.add(name=name)
    added.typed_config.Pack(config)
    return added


def _disable(added: Any, ports: Iterable[int], only_ports: Iterable[int]) -> None:
    if ports := sorted(ports):
        added.filter_disabled.CopyFrom(_any_of(ports))
    elif only_ports := sorted(only_ports):
        added.filter_disabled.not_match.CopyFrom(_any_of(only_ports))


def _any_of(ports: list[int]) -> Any:
    rules = []
    for port in ports:
        rule = _Predicate()
        rule.destination_port_range.start = port
        rule.destination_port_range.end = port + 1
        rules.append(rule)
    if len(rules) == 1:
        return rules[0]
    several = _Predicate()
    several.or_match.rules.extend(rules)
    return several
