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
        return _faults(authorities, db, key) if _stands_for_authorities(db, key) else ()
    if secret.type == TLS_TYPE or GATEWAYS.where(db, "credential", key.name):
        return _faults(credential, db, key)
    return _faults(authorities, db, key) if GATEWAYS.where(db, "authorities", key.name) else ()


def _stands_for_authorities(db: Reader, key: Key) -> bool:
    short = key.name.removesuffix(AUTHORITIES_SUFFIX)
    return any(GATEWAYS.where(db, index, name) for name in (key.name, short) for index in ("authorities", "credential"))


def _faults(check: Callable[[Reader, Key], object], db: Reader, key: Key) -> tuple[Fault, ...]:
    try:
        check(db, key)
    except ConfigError as wrong:
        return (error(wrong.path, wrong.message),)
    return ()
