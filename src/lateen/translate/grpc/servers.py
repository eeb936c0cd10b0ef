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
from lateen.translate.grpc.authorization import add_authorization, add_refusal
from lateen.translate.grpc.listeners import add_router
from lateen.translate.grpc.names import server_listener
from lateen.translate.grpc.security import Security, set_server_tls
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
        security = _security(db, view, port)
        for address in dict.fromkeys((*_ANYWHERE, *sidecar.addresses)):
            args = (address, port, security, authorization)
            found.append(Recipe(server_listener(address, port), listener, args))
    return tuple(found)


def _security(db: Reader, view: GrpcServerView, port: int) -> Security:
    """A server takes either TLS or plain text. Where both may come, what others are told that it takes decides, as in
    Istio. Without an identity it cannot offer TLS, and where that is demanded takes nothing."""
    mode = mutual_tls_mode(db, view.sidecar.namespace, view.sidecar.labels, port)
    demanded = mode is MutualTLSMode.STRICT
    if view.sidecar.traits.certificates is None:
        return Security.REFUSED if demanded else Security.PLAIN
    offered = mode is MutualTLSMode.PERMISSIVE and view.declares_mutual_tls
    return Security.MESH if demanded or offered else Security.PLAIN


@query
def listener(db: Reader, address: str, port: int, security: Security, authorization: Authorization) -> Resource:
    """One listener. The routes within it lead into the application."""
    name = server_listener(address, port)
    message = listener_pb2.Listener(name=name)
    message.address.socket_address.address = address
    message.address.socket_address.port_value = port
    chain = message.filter_chains.add(name="inbound-mtls" if security is Security.MESH else "inbound-plaintext")
    if security is Security.MESH:
        set_server_tls(chain)
    manager = _manager(db, authorization, refuses=security is Security.REFUSED)
    chain.filters.add(name=MANAGER).typed_config.Pack(manager, deterministic=True)
    return resource(name, message)


def _manager(db: Reader, authorization: Authorization, *, refuses: bool) -> Any:
    manager = hcm_pb2.HttpConnectionManager()
    manager.route_config.name = "inbound"
    host = manager.route_config.virtual_hosts.add(name="inbound", domains=("*",))
    route = host.routes.add(match=everything())
    route.non_forwarding_action.SetInParent()
    if refuses:
        # Without a listener one of before might stay.
        add_refusal(manager)
    else:
        add_authorization(db, manager, authorization)
    add_router(manager)
    return manager
