"""Findings on Secrets that Gateways name as credentials, and on those that say they are for TLS."""

from __future__ import annotations

from collections.abc import Callable

from lateen.api.kubernetes.secret import TLS_TYPE
from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, error
from lateen.engine import Reader, query
from lateen.model.credentials import AUTHORITIES_SUFFIX, authorities, credential
from lateen.model.fault import ConfigError
from lateen.model.inputs import GATEWAYS, SECRETS


@query
def secret_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """What keeps a Secret from being what it is used as; nothing of Secrets that the mesh does not use."""
    secret = SECRETS.get(db, key)
    if secret is None:
        return ()
    if key.name.endswith(AUTHORITIES_SUFFIX):
        return _faults(authorities, db, key) if _is_named(db, key) else ()
    return _faults(credential, db, key) if secret.type == TLS_TYPE or _is_named(db, key) else ()


def _is_named(db: Reader, key: Key) -> bool:
    return bool(GATEWAYS.where(db, "credential", key.name))


def _faults(check: Callable[[Reader, Key], object], db: Reader, key: Key) -> tuple[Fault, ...]:
    try:
        check(db, key)
    except ConfigError as wrong:
        return (error(wrong.path, wrong.message),)
    return ()
