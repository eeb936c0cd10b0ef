"""Which objects are read from a cluster."""

from __future__ import annotations

from lateen.model.tables import TABLES
from lateen.sources.kubernetes.watched_kind import WatchedKind
from lateen.sources.mesh_settings import config_map_name
from lateen.sources.source import KindName

_SECRETS_OF_OTHERS = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token"


def watched_kinds(namespace: str, revision: str) -> tuple[WatchedKind, ...]:
    """All that queries read: of ConfigMaps only the control plane's own, of Secrets none that cannot be for TLS."""
    found = []
    for kind in TABLES:
        selector, only = "", ""
        if kind.kind == "ConfigMap":
            selector, only = f"metadata.name={config_map_name(revision)}", namespace
        elif kind.kind == "Secret":
            selector = _SECRETS_OF_OTHERS
        found.append(WatchedKind(KindName(kind.group, kind.kind), kind.plural, kind.versions, selector, only))
    return tuple(found)
