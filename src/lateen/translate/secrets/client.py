"""Secrets of clients (SDS): certificates and roots of TLS that DestinationRules originate.

A client gets Secrets of its own namespace only: gateways those that any rule names, sidecars those of rules that select
them; none if it may not have them. Files are the proxy's own.
"""

from __future__ import annotations

from lateen.api.objects import Key, ObjectRef
from lateen.engine import Reader, query
from lateen.model.client_secrets import client_secrets
from lateen.model.credentials import AUTHORITIES_SUFFIX
from lateen.model.fault import ConfigError
from lateen.model.proxy import ClientView
from lateen.translate.resource import Recipe, Resource
from lateen.translate.secrets import files
from lateen.translate.secrets.gateway import authorities_secret, certificate, secret_key


def listing(db: Reader, view: ClientView) -> tuple[Recipe, ...]:
    """The secrets that the clusters of a view refer to."""
    found = (_recipe(db, view, name, rule) for name, rule in client_secrets(db, view))
    return tuple(recipe for recipe in found if recipe is not None)


def _recipe(db: Reader, view: ClientView, name: str, rule: Key) -> Recipe | None:
    if files.is_file(name):
        return files.recipe(name)
    key = secret_key(db, view, name)
    if key is None or not view.secrets:
        return None
    if key.namespace != view.namespace:
        return Recipe(name, refused, (rule, key.namespace, view.namespace))
    return Recipe(name, authorities_secret if key.name.endswith(AUTHORITIES_SUFFIX) else certificate, (name, key))


@query
def refused(db: Reader, rule: Key, namespace: str, own: str) -> Resource:
    """A secret that the client may not have."""
    message = f"clients in namespace {own} may not use Secrets of namespace {namespace}"
    raise ConfigError(ObjectRef("DestinationRule", rule), "spec.trafficPolicy.tls.credentialName", message)
