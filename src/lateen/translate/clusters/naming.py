"""The fields of clusters that are their own: name, name in statistics, load assignment and metadata."""

from __future__ import annotations

from typing import Final

from lateen.api.objects import Key, ObjectRef
from lateen.engine import Reader
from lateen.model.destination_rules import Rules
from lateen.model.fault import ConfigError
from lateen.model.outbound_clusters import Discovery, OutboundCluster
from lateen.model.service import Service, ServicePort
from lateen.model.services import service
from lateen.translate.clusters.stat_names import DELIMITER, stat_name
from lateen.translate.metadata import ServiceName, cluster_fields, subset_metadata
from lateen.translate.wire import sized, tag

_DELIMITER: Final = DELIMITER.encode()
_NAME, _STATISTICS, _METADATA, _EDS = tag(1), tag(28), tag(25), tag(3)
_SERVICE_NAME: Final = tag(2)
"""Of `eds_cluster_config`."""


class PortNaming:
    """Names the clusters of one port of a service."""

    __slots__ = ("_fields", "_pattern", "_service", "port")

    def __init__(self, found: Service, port: ServicePort, rules: Rules, pattern: str) -> None:
        """`pattern`: what statistics are called (MeshConfig.outboundClusterStatName)."""
        self._service = found
        self.port = port
        self._pattern = pattern
        self._fields = cluster_fields(
            (ServiceName(found.key.hostname, found.name, found.key.namespace),),
            config=ObjectRef("DestinationRule", rules[0]) if rules else None,
            port=port.port,
            external=found.mesh_external,
        )

    def of(self, name: str, subset: str, assignment: str) -> bytes:
        """The fields of one `Cluster`. `assignment` names its load assignment, if it asks for one (EDS)."""
        called = name.encode()
        if self._pattern:
            statistics = stat_name(self._pattern, name, self._service, self.port, subset=subset).encode()
        else:
            statistics = called + _DELIMITER
        parts = [_NAME, sized(called), _STATISTICS, sized(statistics), _METADATA]
        parts.append(sized(subset_metadata(self._fields, subset)))
        if assignment:
            parts += (_EDS, sized(_SERVICE_NAME + sized(assignment.encode())))
        return b"".join(parts)


def assignment_of(each: OutboundCluster) -> str:
    """The name of a cluster's load assignment; empty when it does not ask for one."""
    return each.name if each.discovery is Discovery.EDS else ""


def declared(db: Reader, each: OutboundCluster) -> tuple[Service, ServicePort]:
    """The service and port of a cluster."""
    found = service(db, each.service)
    port = found.port(each.port) if found is not None else None
    if found is None or port is None:
        raise undeclared(each)
    return found, port


def undeclared(each: OutboundCluster) -> ConfigError:
    """The service has no such cluster. Only when asked for out of turn: whoever lists clusters sees it gone first."""
    source = ObjectRef("Service", Key(each.service.namespace, each.service.hostname))
    return ConfigError(source, "spec.ports", f"there is no port {each.port} for {each.name}")
