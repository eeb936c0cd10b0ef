"""Single facts of MeshConfig, each a query: what needs one fact does not recompute when another changes."""

from __future__ import annotations

from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.inputs import MESH_CONFIG, NAMESPACES


@query
def default_service_export(db: Reader) -> tuple[str, ...]:
    """MeshConfig.defaultServiceExportTo."""
    return MESH_CONFIG.get(db).default_service_export_to or ("*",)


@query
def default_virtual_service_export(db: Reader) -> tuple[str, ...]:
    """MeshConfig.defaultVirtualServiceExportTo."""
    return MESH_CONFIG.get(db).default_virtual_service_export_to or ("*",)


@query
def default_destination_rule_export(db: Reader) -> tuple[str, ...]:
    """MeshConfig.defaultDestinationRuleExportTo."""
    return MESH_CONFIG.get(db).default_destination_rule_export_to or ("*",)


@query
def trust_domain(db: Reader) -> str:
    """MeshConfig.trustDomain."""
    return MESH_CONFIG.get(db).trust_domain


@query
def trust_domain_aliases(db: Reader) -> tuple[str, ...]:
    """MeshConfig.trustDomainAliases."""
    return MESH_CONFIG.get(db).trust_domain_aliases


@query
def root_namespace(db: Reader) -> str:
    """MeshConfig.rootNamespace: where what applies to all namespaces lives."""
    return MESH_CONFIG.get(db).root_namespace


@query
def discovers_all(db: Reader) -> bool:
    """Whether MeshConfig.discoverySelectors leave no namespace out."""
    return not MESH_CONFIG.get(db).discovery_selectors


@query
def discovered(db: Reader, namespace: str, cluster: str = "") -> bool:
    """Whether the mesh takes notice of a namespace. Without discoverySelectors it does of all."""
    selectors = MESH_CONFIG.get(db).discovery_selectors
    if not selectors:
        return True
    found = NAMESPACES.get(db, Key("", namespace, cluster))
    labels = found.metadata.labels if found is not None else {}
    return any(selector.matches(labels) for selector in selectors)
