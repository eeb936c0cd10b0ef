"""Findings on ProxyConfigs: of several that mean the same proxies, one counts."""

from __future__ import annotations

from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, warning
from lateen.engine import Reader, query
from lateen.model.inputs import PROXY_CONFIGS


@query
def proxy_config_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """That an older one is for the same proxies, so that this one has no effect."""
    own = PROXY_CONFIGS.get(db, key)
    if own is None:
        return ()
    selector = own.spec.selector.match_labels if own.spec.selector is not None else None
    for other_key in PROXY_CONFIGS.where(db, "namespace", key.namespace):
        other = PROXY_CONFIGS.get(db, other_key)
        if other is None or other_key == key:
            continue
        theirs = other.spec.selector.match_labels if other.spec.selector is not None else None
        if theirs == selector and other.age < own.age:
            return (warning("spec.selector", f"{other_key} is for the same proxies and older: this has no effect"),)
    return ()
