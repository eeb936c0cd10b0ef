"""Secrets of gateways (SDS): the credentials that the Gateways which select a proxy name, and nothing else.

A gateway gets Secrets of its own namespace only, and none if it may not have them. A name that points elsewhere is an
error of the Gateway that has it.
"""

from __future__ import annotations

from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2

from lateen.api.objects import Key, ObjectRef
from lateen.engine import Reader, query
from lateen.model.credentials import AUTHORITIES_SUFFIX, OF_CONFIG, OF_PROXY, authorities, credential
from lateen.model.fault import ConfigError
from lateen.model.gateways import (
    GatewayServer,
    authorities_resource,
    certificate_resources,
    credentials,
    gateway_servers,
)
from lateen.model.inputs import CLUSTER_ID
from lateen.model.proxy import ClientView, GatewayView
from lateen.translate.resource import Recipe, Resource, resource
from lateen.translate.secrets import files


@query
def listing(db: Reader, view: GatewayView) -> tuple[Recipe, ...]:
    """The secrets of a gateway. Names of other schemes (`sds://`) are not served: `model/findings` tells of them."""
    names = credentials(db, view)
    own = tuple(files.recipe(name) for name in names if files.is_file(name))
    if not view.secrets:
        return own
    return own + tuple(
        _recipe(db, view, name, key) for name in names if (key := secret_key(db, view, name)) is not None
    )


def _recipe(db: Reader, view: GatewayView, name: str, key: Key) -> Recipe:
    if key.namespace != view.namespace:
        gateway, path = _whence(db, view, name)
        return Recipe(name, refused, (gateway, path, key.namespace, view.namespace))
    return Recipe(name, authorities_secret if key.name.endswith(AUTHORITIES_SUFFIX) else certificate, (name, key))


def secret_key(db: Reader, view: ClientView, name: str) -> Key | None:
    """The Secret that an SDS name stands for; None if it stands for none."""
    if name.startswith(OF_PROXY):
        namespace, _, short = name.removeprefix(OF_PROXY).rpartition("/")
        cluster = "" if view.cluster_id in ("", CLUSTER_ID.get(db)) else view.cluster_id
        return Key(namespace or view.namespace, short, cluster)
    if name.startswith(OF_CONFIG):
        namespace, _, short = name.removeprefix(OF_CONFIG).rpartition("/")
        return Key(namespace or view.namespace, short)
    return None


def _whence(db: Reader, view: GatewayView, name: str) -> tuple[Key, str]:
    """The first Gateway that names a credential, and where."""
    for server in gateway_servers(db, view):
        if server.tls is not None and name in (*certificate_resources(server.tls), authorities_resource(server.tls)):
            return server.gateway, _path(server)
    return Key(view.namespace, ""), ""


def _path(server: GatewayServer) -> str:
    return f"spec.servers[{server.index}].tls"


@query
def refused(db: Reader, gateway: Key, path: str, namespace: str, own: str) -> Resource:
    """A secret that the gateway may not have."""
    message = f"a gateway in namespace {own} may not use Secrets of namespace {namespace}"
    raise ConfigError(ObjectRef("Gateway", gateway), path, message)


@query
def certificate(db: Reader, name: str, key: Key) -> Resource:
    """A certificate chain and its key."""
    found = credential(db, key)
    secret = secret_pb2.Secret(name=name)
    secret.tls_certificate.certificate_chain.inline_bytes = found.certificate
    secret.tls_certificate.private_key.inline_bytes = found.key
    if found.staple:
        secret.tls_certificate.ocsp_staple.inline_bytes = found.staple
    return resource(name, secret)


@query
def authorities_secret(db: Reader, name: str, key: Key) -> Resource:
    """What client certificates are verified with."""
    found = authorities(db, key)
    context = common_pb2.CertificateValidationContext()
    context.trusted_ca.inline_bytes = found.roots
    if found.revoked:
        context.crl.inline_bytes = found.revoked
    return resource(name, secret_pb2.Secret(name=name, validation_context=context))
