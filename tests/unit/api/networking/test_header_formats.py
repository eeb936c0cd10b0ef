from __future__ import annotations

import pytest
from envoy.config.route.v3 import route_components_pb2, route_pb2

from lateen.api.networking.header_formats import PLAIN_COMMANDS, wrong_format
from lateen.testing.envoy import accepts
from lateen.translate.resource import Resource, ResourceType, resource

RIGHT = [
    "",
    "plain",
    "100%%",
    "%PROTOCOL%",
    "a-%REQ(x-user?:authority):5%-b",
    "%START_TIME(%Y-%m-%dT%H:%M)%",
    "%UPSTREAM_METADATA(a:b)%",
    "%%PROTOCOL%%",
]
WRONG = ["%", "100%", "%NOPE%", "%protocol%", "%REQ%", "%REQ(a", "a%b%", "%PROTOCOL"]


@pytest.mark.parametrize("value", RIGHT)
def test_right(value: str) -> None:
    assert wrong_format(value) == ""


@pytest.mark.parametrize("value", WRONG)
def test_wrong(value: str) -> None:
    assert wrong_format(value)


def _routes(values: list[str]) -> dict[ResourceType, list[Resource]]:
    host = route_components_pb2.VirtualHost(name="v", domains=("*",))
    for value in values:
        route = host.routes.add()
        route.match.prefix = "/"
        route.route.cluster = "c"
        header = route.request_headers_to_add.add()
        header.header.key = "x"
        header.header.value = value
    return {ResourceType.RDS: [resource("r", route_pb2.RouteConfiguration(name="r", virtual_hosts=(host,)))]}


def test_envoy_knows_every_command() -> None:
    accepts(_routes([*RIGHT, *(f"%{name}%" for name in sorted(PLAIN_COMMANDS))]))


@pytest.mark.parametrize("value", WRONG)
def test_envoy_refuses_what_is_wrong(value: str) -> None:
    with pytest.raises(AssertionError):
        accepts(_routes([value]))
