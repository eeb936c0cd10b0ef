"""A small world to patch: generated resources of each type, and one EnvoyFilter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lateen.api.envoy.values import build
from lateen.api.objects import Key, ObjectRef
from lateen.engine import Engine, Reader, query
from lateen.model.fault import ConfigError
from lateen.model.inputs import ENVOY_FILTERS
from lateen.model.proxy import InboundView, View
from lateen.testing.envoy import accepts, decoded
from lateen.testing.envoy_filters import envoy_filter, typed
from lateen.translate.patches.apply import patched
from lateen.translate.patches.extensions import extensions
from lateen.translate.resource import Recipe, Resource, ResourceType, resource

CDS, LDS, RDS, ECDS = ResourceType.CDS, ResourceType.LDS, ResourceType.RDS, ResourceType.ECDS

CORS = typed("envoy.filters.http.cors", "filters.http.cors.v3.Cors")
ROUTER = typed("envoy.filters.http.router", "filters.http.router.v3.Router")
TCP = typed(
    "envoy.filters.network.tcp_proxy",
    "filters.network.tcp_proxy.v3.TcpProxy",
    stat_prefix="x",
    cluster="PassthroughCluster",
)
INSPECTOR = typed("envoy.filters.listener.tls_inspector", "filters.listener.tls_inspector.v3.TlsInspector")
TLS = typed("envoy.transport_sockets.tls", "transport_sockets.tls.v3.UpstreamTlsContext", sni="b")
EDS = {"type": "EDS", "eds_cluster_config": {"eds_config": {"ads": {}}}}


def manager(**route: Any) -> dict[str, Any]:
    return typed(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="x",
        http_filters=[CORS, ROUTER],
        **route,
    )


def address(ip: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": ip, "port_value": port}}


def route(name: str, cluster: str = "PassthroughCluster") -> dict[str, Any]:
    return {"name": name, "match": {"prefix": "/"}, "route": {"cluster": cluster}}


WORLD: dict[tuple[ResourceType, str], dict[str, dict[str, Any]]] = {
    (CDS, "out"): {
        "outbound|80||a.default.svc.cluster.local": EDS,
        "outbound|80|v1|a.default.svc.cluster.local": EDS,
        "outbound|81||b.default.svc.cluster.local": {
            "type": "STATIC",
            "transport_socket_matches": [{"name": "tls", "match": {"tlsMode": "istio"}, "transport_socket": TLS}],
        },
        "PassthroughCluster": {"type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED"},
        "erring": {},
    },
    (CDS, "in"): {
        "inbound|8080||": {
            "type": "STATIC",
            "metadata": {"filter_metadata": {"istio": {"services": [{"host": "a.default.svc.cluster.local"}]}}},
        }
    },
    (LDS, "out"): {
        "0.0.0.0_80": {
            "address": address("0.0.0.0", 80),
            "filter_chains": [
                {"filters": [manager(rds={"route_config_name": "80", "config_source": {"ads": {}}})]},
            ],
        },
        "10.0.0.1_443": {"address": address("10.0.0.1", 443), "filter_chains": [{"filters": [TCP]}]},
    },
    (LDS, "in"): {
        "virtualInbound": {
            "address": address("0.0.0.0", 15006),
            "listener_filters": [INSPECTOR],
            "filter_chains": [
                {
                    "name": "8080",
                    "filter_chain_match": {
                        "destination_port": 8080,
                        "transport_protocol": "raw_buffer",
                        "application_protocols": ["h2c", "http/1.1"],
                    },
                    "filters": [
                        manager(
                            route_config={
                                "name": "inbound|8080||",
                                "validate_clusters": False,
                                "virtual_hosts": [
                                    {
                                        "name": "inbound|http|8080",
                                        "domains": ["*"],
                                        "routes": [route("default", "inbound|8080||")],
                                    }
                                ],
                            }
                        )
                    ],
                },
                {
                    "name": "9090",
                    "filter_chain_match": {
                        "destination_port": 9090,
                        "transport_protocol": "tls",
                        "server_names": ["a.example"],
                    },
                    "filters": [TCP],
                },
            ],
            "default_filter_chain": {"filters": [TCP]},
        }
    },
    (RDS, "out"): {
        "80": {
            "virtual_hosts": [
                {
                    "name": "a.default.svc.cluster.local:80",
                    "domains": ["a", "a.default"],
                    "routes": [
                        {"name": "first", "match": {"prefix": "/old"}, "redirect": {"path_redirect": "/new"}},
                        route("default"),
                    ],
                },
                {"name": "allow_any", "domains": ["*"], "routes": [route("allow_any")]},
            ]
        },
        "81": {"virtual_hosts": [{"name": "b", "domains": ["b"], "routes": [route("")]}]},
        "http.8080": {"virtual_hosts": [{"name": "c:80", "domains": ["c"], "routes": [route("")]}]},
        "https.443.tls.edge.default": {"virtual_hosts": [{"name": "d:443", "domains": ["d"], "routes": [route("")]}]},
    },
}
MESSAGES = {
    CDS: "envoy.config.cluster.v3.Cluster",
    LDS: "envoy.config.listener.v3.Listener",
    RDS: "envoy.config.route.v3.RouteConfiguration",
}


@query
def generated(db: Reader, type_: ResourceType, side: str, name: str) -> Resource:
    if name == "erring":
        raise ConfigError(ObjectRef("Service", Key("default", "a")), "spec", "cannot be")
    message, faults = build(MESSAGES[type_], {"name": name, **WORLD[type_, side][name]}, "")
    assert message is not None, faults
    return resource(name, message)


@query
def patched_listing(db: Reader, type_: ResourceType, view: View) -> tuple[Recipe, ...]:
    if type_ is ECDS:
        return extensions(db, view)
    return patched(db, type_, view, unpatched(type_, view))


def unpatched(type_: ResourceType, view: View) -> tuple[Recipe, ...]:
    side = "in" if isinstance(view, InboundView) else "out"
    return tuple(Recipe(name, generated, (type_, side, name)) for name in WORLD.get((type_, side), ()))


class World:
    """An engine with one EnvoyFilter."""

    def __init__(self, judged: dict[ResourceType, list[Resource]], patches: tuple[dict[str, Any], ...]) -> None:
        self.engine = Engine()
        self._judged = judged
        self.set(*patches)

    def set(self, *patches: dict[str, Any]) -> None:
        obj = envoy_filter(*patches)
        with self.engine.change() as tx:
            tx.set(ENVOY_FILTERS, obj.key, obj)

    def unpatched(self, type_: ResourceType, view: View) -> dict[str, Recipe]:
        return {recipe.name: recipe for recipe in unpatched(type_, view)}

    def listing(self, type_: ResourceType, view: View) -> dict[str, Recipe]:
        """The recipes by name, in order."""
        found = self.engine.get(patched_listing, type_, view)
        assert len({recipe.name for recipe in found}) == len(found)
        return {recipe.name: recipe for recipe in found}

    def computed_listings(self) -> int:
        return self.engine.statistics().queries[patched_listing.name].computed

    def resources(self, type_: ResourceType, view: View) -> dict[str, Resource]:
        """All but what errs."""
        listed = self.listing(type_, view)
        return {
            name: self.engine.get(recipe.query, *recipe.args) for name, recipe in listed.items() if name != "erring"
        }

    def messages(self, type_: ResourceType, view: View, judged: bool = True) -> dict[str, Any]:
        """All but what errs, decoded; Envoy judges them at the end of the module."""
        found = self.resources(type_, view)
        if judged:
            self._judged.setdefault(type_, []).extend(found.values())
        return {name: decoded(type_, each) for name, each in found.items()}


@pytest.fixture(scope="module")
def judged() -> Iterator[dict[ResourceType, list[Resource]]]:
    collected: dict[ResourceType, list[Resource]] = {}
    yield collected
    accepts(collected)


@pytest.fixture
def world(judged: dict[ResourceType, list[Resource]]) -> Callable[..., World]:
    """Makes a world of these patches."""
    return lambda *patches: World(judged, patches)
