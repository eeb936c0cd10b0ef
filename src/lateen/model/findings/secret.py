"""Findings on Secrets that Gateways name as credentials, and on those that say they are for TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from lateen.api.kubernetes.secret import TLS_TYPE
from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, error, warning
from lateen.engine import Reader, query
from lateen.model.credentials import AUTHORITIES_SUFFIX, authorities, credential, lifetime
from lateen.model.fault import ConfigError
from lateen.model.inputs import GATEWAYS, HOUR, SECRETS

_HOUR, _SOON = timedelta(hours=1), timedelta(days=7)


@query
def secret_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """What keeps a Secret from being what it is used as; nothing of Secrets that the mesh does not use."""
    secret = SECRETS.get(db, key)
    if secret is None:
        return ()
    if key.name.endswith(AUTHORITIES_SUFFIX):
        return _faults(authorities, db, key) if _stands_for_authorities(db, key) else ()
    if secret.type == TLS_TYPE or GATEWAYS.where(db, "credential", key.name):
        return _faults(credential, db, key) or tuple(_out_of_time(db, key))
    return _faults(authorities, db, key) if GATEWAYS.where(db, "authorities", key.name) else ()


def _out_of_time(db: Reader, key: Key) -> Iterator[Fault]:
    """A certificate that has expired is served nevertheless: it is for clients to refuse it, and there is no better."""
    hour, valid = HOUR.get(db), lifetime(db, key)
    if hour is None:
        return
    if hour >= valid.not_after:
        yield error("data", f"the certificate expired on {valid.not_after:%Y-%m-%d %H:%M} UTC")
    elif hour + _HOUR <= valid.not_before:
        yield error("data", f"the certificate is not valid before {valid.not_before:%Y-%m-%d %H:%M} UTC")
    elif hour + _SOON >= valid.not_after:
        yield warning("data", f"the certificate expires on {valid.not_after:%Y-%m-%d %H:%M} UTC")


def _stands_for_authorities(db: Reader, key: Key) -> bool:
    short = key.name.removesuffix(AUTHORITIES_SUFFIX)
    return any(GATEWAYS.where(db, index, name) for name in (key.name, short) for index in ("authorities", "credential"))


def _faults(check: Callable[[Reader, Key], object], db: Reader, key: Key) -> tuple[Fault, ...]:
    try:
        check(db, key)
    except ConfigError as wrong:
        return (error(wrong.path, wrong.message),)
    return ()
