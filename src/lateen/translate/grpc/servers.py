"""The listeners of gRPC servers: who may call, and over what.

A server asks by the address that it listens at. It gets an answer for the ports that services send to, at the wildcard
and loopback addresses and at its own.
"""

from __future__ import annotations

from typing import Any, Final

from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.engine import Reader, query
from lateen.model.authorization import Authorization, authorization_of
from lateen.model.peer_authentication import mutual_tls_mode
from lateen.model.proxy import GrpcServerView
from lateen.model.workloads import workload_ports
from lateen.translate.filters.http_connection_manager import NAME as MANAGER
from lateen.translate.grpc.authorization import add_authorization
from lateen.translate.grpc.listeners import add_router
from lateen.translate.grpc.names import server_listener
from lateen.translate.grpc.security import set_server_tls
from lateen.translate.resource import Recipe, Resource, resource
from lateen.translate.routes.match import everything

_ANYWHERE: Final = ("0.0.0.0", "::", "127.0.0.1", "::1")


@query
def listing(db: Reader, view: GrpcServerView) -> tuple[Recipe, ...]:
    """A listener for each port and address."""
    sidecar = view.sidecar
    authorization = authorization_of(db, sidecar)
    found = []
    for port in dict.fromkeys(each.number for each in workload_ports(db, sidecar)):
        over_tls = _is_over_tls(db, view, port)
        for address in dict.fromkeys((*_ANYWHERE, *sidecar.addresses)):
            args = (address, port, over_tls, authorization)
            found.append(Recipe(server_listener(address, port), listener, args))
    return tuple(found)


def _is_over_tls(db: Reader, view: GrpcServerView, port: int) -> bool:
    """A server takes either TLS or plain text. Where both may come, what others are told that it takes decides, as in
    Istio. Without an identity it cannot offer what is not demanded."""
    mode = mutual_tls_mode(db, view.sidecar.namespace, view.sidecar.labels, port)
    if mode is MutualTLSMode.PERMISSIVE:
        return view.declares_mutual_tls and view.sidecar.traits.certificates is not None
    return mode is MutualTLSMode.STRICT


@query
def listener(db: Reader, address: str, port: int, over_tls: bool, authorization: Authorization) -> Resource:
    """One listener. The routes within it lead into the application."""
    name = server_listener(address, port)
    message = listener_pb2.Listener(name=name)
    message.address.socket_address.address = address
    message.address.socket_address.port_value = port
    chain = message.filter_chains.add(name="inbound-mtls" if over_tls else "inbound-plaintext")
    if over_tls:
        set_server_tls(chain)
    chain.filters.add(name=MANAGER).typed_config.Pack(_manager(db, authorization), deterministic=True)
    return resource(name, message)


def _manager(db: Reader, authorization: Authorization) -> Any:
    manager = hcm_pb2.HttpConnectionManager()
    manager.route_config.name = "inbound"
    host = manager.route_config.virtual_hosts.add(name="inbound", domains=("*",))
    route = host.routes.add(match=everything())
    route.non_forwarding_action.SetInParent()
    add_authorization(db, manager, authorization)
    add_router(manager)
    return manager
