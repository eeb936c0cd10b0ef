from __future__ import annotations

from typing import Any

from envoy.config.listener.v3 import listener_pb2

from lateen.translate.filters.listener_filters import add_http_inspector, add_tls_inspector


def disabled(add: Any, **ports: Any) -> Any:
    listener = listener_pb2.Listener()
    add(listener, **ports)
    return listener.listener_filters[0].filter_disabled


def test_an_inspector_looks_everywhere_unless_told_otherwise() -> None:
    assert not disabled(add_tls_inspector).ByteSize()


def test_ports_are_left_out() -> None:
    one = disabled(add_http_inspector, except_ports={80})
    assert (one.destination_port_range.start, one.destination_port_range.end) == (80, 81)
    several = disabled(add_http_inspector, except_ports={90, 80})
    assert [rule.destination_port_range.start for rule in several.or_match.rules] == [80, 90]


def test_only_some_ports_are_looked_into() -> None:
    found = disabled(add_tls_inspector, only_ports={80, 90})
    assert [rule.destination_port_range.start for rule in found.not_match.or_match.rules] == [80, 90]
