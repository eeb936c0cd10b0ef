"""Secrets of clients (SDS): the credentials of TLS that DestinationRules originate.

A client gets Secrets of its own namespace only: gateways those that any rule names, sidecars those of rules that select
them.
"""

from __future__ import annotations

from lateen.api.objects import Key, ObjectRef
from lateen.engine import Reader, query
from lateen.model.client_credentials import client_credentials
from lateen.model.credentials import AUTHORITIES_SUFFIX
from lateen.model.fault import ConfigError
from lateen.model.proxy import ClientView
from lateen.translate.resource import Recipe, Resource
from lateen.translate.secrets.gateway import authorities_secret, certificate, secret_key
from lateen.translate.tls.secret_references import credential_resource


def listing(db: Reader, view: ClientView) -> tuple[Recipe, ...]:
    """The secrets that the clusters of a view refer to."""
    recipes = []
    for declared, rule in client_credentials(db, view):
        name = credential_resource(declared)
        key = secret_key(db, view, name)
        if key is None:
            continue
        if key.namespace != view.namespace:
            recipes.append(Recipe(name, refused, (rule, key.namespace, view.namespace)))
        else:
            made = authorities_secret if key.name.endswith(AUTHORITIES_SUFFIX) else certificate
            recipes.append(Recipe(name, made, (name, key)))
    return tuple(recipes)


@query
def refused(db: Reader, rule: Key, namespace: str, own: str) -> Resource:
    """A secret that the client may not have."""
    message = f"clients in namespace {own} may not use Secrets of namespace {namespace}"
    raise ConfigError(ObjectRef("DestinationRule", rule), "spec.trafficPolicy.tls.credentialName", message)
