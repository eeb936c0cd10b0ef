"""Patches of route configurations, virtual hosts and routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2

from lateen.api.kubernetes.service import Service, ServicePort, ServiceSpec
from lateen.api.networking.gateway import Gateway
from lateen.api.objects import Key, Metadata, Object
from lateen.api.schema.decode import Decoder
from lateen.model.endpoint import Locality
from lateen.model.inputs import GATEWAYS, SERVICES
from lateen.model.proxy import GatewayView, InboundView, OutboundView, PatchSet, Traits
from lateen.testing.envoy_filters import patch
from lateen.translate.resource import ResourceType

LDS, RDS = ResourceType.LDS, ResourceType.RDS

SETS = (PatchSet(Key("default", "patches")),)
OUTBOUND = OutboundView("default", (), None, Locality(), "", "", "", Traits(), SETS)
INBOUND = InboundView("default", (), "default", None, "", "", Traits(), patches=SETS)
GATEWAY = GatewayView("default", (("app", "edge"),), "default", Locality(), "", "", "", Traits(), SETS)

HOSTS = {"a.default.svc.cluster.local:80", "allow_any", "b", "c:80", "d:443"}
NEW = {"name": "new", "match": {"prefix": "/new"}, "direct_response": {"status": 204}}
REMOVE_X = {"request_headers_to_remove": ["x"]}

Worlds = Callable[..., Any]


def names(items: Any) -> list[str]:
    return [each.name for each in items]


# --- route configurations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, {"80", "81", "http.8080", "https.443.tls.edge.default"}),
        ({"portNumber": 80}, {"80"}),
        ({"name": "81"}, {"81"}),
        ({"name": "81", "portNumber": 80}, set()),
        ({"gateway": "default/edge"}, set()),
    ],
)
def test_matches_of_route_configurations(world: Worlds, match: dict[str, Any], expected: set[str]) -> None:
    it = world(patch("ROUTE_CONFIGURATION", "MERGE", REMOVE_X, routeConfiguration=match))
    found = it.messages(RDS, OUTBOUND)
    assert {name for name, each in found.items() if each.request_headers_to_remove} == expected
    before = it.unpatched(RDS, OUTBOUND)
    assert {name for name, recipe in it.listing(RDS, OUTBOUND).items() if recipe != before[name]} == expected


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"portNumber": 80}, {"http.8080"}),
        ({"portNumber": 8080}, {"http.8080"}),
        ({"portNumber": 443}, {"https.443.tls.edge.default"}),
        ({"portName": "tls"}, {"https.443.tls.edge.default"}),
        ({"portName": "other"}, set()),
        ({"gateway": "default/edge"}, {"https.443.tls.edge.default"}),
        ({"gateway": "other/edge"}, set()),
    ],
)
def test_matches_at_gateways(world: Worlds, match: dict[str, Any], expected: set[str]) -> None:
    it = world(patch("ROUTE_CONFIGURATION", "MERGE", REMOVE_X, routeConfiguration=match))
    spec, faults = Decoder(Gateway).decode(
        {
            "selector": {"app": "edge"},
            "servers": [
                {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]},
                {
                    "port": {"number": 443, "name": "tls", "protocol": "HTTPS"},
                    "hosts": ["*"],
                    "tls": {"mode": "SIMPLE", "credentialName": "x"},
                },
            ],
        }
    )
    assert spec is not None, faults
    metadata = Metadata(name="edge", namespace="default")
    ports = (ServicePort(port=80, target_port=8080), ServicePort(port=443, target_port=8443))
    with it.engine.change() as tx:
        tx.set(GATEWAYS, Key("default", "edge"), Object(metadata, spec, Key("default", "edge")))
        service = Service(metadata=metadata, spec=ServiceSpec(selector={"app": "edge"}, ports=ports))
        tx.set(SERVICES, Key("default", "edge"), service)
    found = it.messages(RDS, GATEWAY)
    assert {name for name, each in found.items() if each.request_headers_to_remove} == expected


# --- virtual hosts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"name": "allow_any"}, {"allow_any"}),
        ({"domainName": "a.default"}, {"a.default.svc.cluster.local:80"}),
        ({"domainName": "z"}, set()),
        ({}, HOSTS),
    ],
)
def test_matches_of_virtual_hosts(world: Worlds, match: dict[str, Any], expected: set[str]) -> None:
    it = world(patch("VIRTUAL_HOST", "REMOVE", routeConfiguration={"vhost": match}))
    left = {each.name for config in it.messages(RDS, OUTBOUND).values() for each in config.virtual_hosts}
    assert left == HOSTS - expected


def test_virtual_hosts_are_merged_replaced_and_added(world: Worlds) -> None:
    it = world(
        patch(
            "VIRTUAL_HOST",
            "MERGE",
            {"include_request_attempt_count": True},
            routeConfiguration={"vhost": {"name": "allow_any"}},
        ),
        patch(
            "VIRTUAL_HOST",
            "REPLACE",
            {"name": "b2", "domains": ["b2"]},
            routeConfiguration={"vhost": {"name": "b"}},
        ),
        patch("VIRTUAL_HOST", "ADD", {"name": "new", "domains": ["new"]}, routeConfiguration={"portNumber": 80}),
    )
    found = it.messages(RDS, OUTBOUND)
    assert [each.include_request_attempt_count for each in found["80"].virtual_hosts] == [False, True, False]
    assert names(found["80"].virtual_hosts)[-1] == "new"
    assert names(found["81"].virtual_hosts) == ["b2"]


# --- routes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "route", "expected"),
    [
        ("ADD", None, ["first", "default", "new"]),
        ("INSERT_FIRST", None, ["new", "first", "default"]),
        ("INSERT_FIRST", {"name": "default"}, ["new", "first", "default"]),
        ("INSERT_FIRST", {"name": "none"}, ["first", "default"]),
        ("INSERT_BEFORE", {"name": "default"}, ["first", "new", "default"]),
        ("INSERT_BEFORE", None, ["new", "first", "default"]),
        ("INSERT_AFTER", {"action": "REDIRECT"}, ["first", "new", "default"]),
        ("INSERT_AFTER", None, ["first", "default", "new"]),
        ("REMOVE", {"action": "ROUTE"}, ["first"]),
        ("REMOVE", {"action": "DIRECT_RESPONSE"}, ["first", "default"]),
        ("REMOVE", None, []),
    ],
)
def test_operations_on_routes(world: Worlds, operation: str, route: dict[str, Any] | None, expected: list[str]) -> None:
    vhost = {"domainName": "a", **({"route": route} if route is not None else {})}
    value = NEW if operation != "REMOVE" else None
    found = world(patch("HTTP_ROUTE", operation, value, routeConfiguration={"vhost": vhost})).messages(RDS, OUTBOUND)
    assert names(found["80"].virtual_hosts[0].routes) == expected
    assert names(found["80"].virtual_hosts[1].routes) == ["allow_any"]


def test_routes_are_merged(world: Worlds) -> None:
    match = {"vhost": {"route": {"name": "default"}}}
    it = world(patch("HTTP_ROUTE", "MERGE", {"route": {"timeout": "7s"}}, routeConfiguration=match))
    [_, found] = it.messages(RDS, OUTBOUND)["80"].virtual_hosts[0].routes
    assert (found.route.cluster, found.route.timeout.seconds) == ("PassthroughCluster", 7)


def test_inbound_routes_are_patched_inside_their_listener(world: Worlds) -> None:
    it = world(
        patch("HTTP_ROUTE", "MERGE", {"route": {"timeout": "7s"}}, routeConfiguration={"portNumber": 8080}),
        patch("HTTP_ROUTE", "MERGE", {"route": {"timeout": "8s"}}, routeConfiguration={"portNumber": 9090}),
    )
    found = http_connection_manager_pb2.HttpConnectionManager()
    chain = it.messages(LDS, INBOUND)["virtualInbound"].filter_chains[0]
    assert chain.filters[0].typed_config.Unpack(found)
    assert found.route_config.virtual_hosts[0].routes[0].route.timeout.seconds == 7
    assert it.listing(LDS, OUTBOUND) == it.unpatched(LDS, OUTBOUND)
