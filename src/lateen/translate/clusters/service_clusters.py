"""All clusters of one service at once: they have most in common, so what they share is made once per service, per port,
or per policy, and what is a cluster's own (its names) is joined to it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from lateen.engine import Reader, query
from lateen.model.destination_rules import MergedRule, Rules, merged_rule
from lateen.model.outbound_clusters import Discovery, OutboundCluster, service_clusters
from lateen.model.proxy import Certificates
from lateen.model.service import Service, ServiceKey, ServicePort
from lateen.model.services import service
from lateen.model.traffic_policy import NO_POLICY, policy_of
from lateen.translate.clusters.connection_pool import http_version
from lateen.translate.clusters.mesh_defaults import mesh_defaults
from lateen.translate.clusters.naming import PortNaming, assignment_of
from lateen.translate.clusters.settings import refusing_settings, settings, settings_of
from lateen.translate.clusters.upstream_socket import ServiceSockets, Sockets, refuses
from lateen.translate.resource import Resource, resource_of_bytes


class ClientTraits(msgspec.Struct, frozen=True, cache_hash=True):
    """What about a client changes the form of the clusters it is sent."""

    is_gateway: bool = False
    certificates: Certificates | None = Certificates()


@query
def service_resources(db: Reader, key: ServiceKey, rules: Rules, traits: ClientTraits) -> dict[str, Resource]:
    """The clusters of a service by name, for all clients that follow these rules, without names to resolve."""
    found = service(db, key)
    if found is None:
        return {}
    rule = merged_rule(db, rules) if rules else _NO_RULE
    sockets = ServiceSockets(db, found, traits.certificates, may_use_credentials=traits.is_gateway or rule.has_selector)
    ports: dict[int, _Port] = {}
    made: dict[str, Resource] = {}
    for each in service_clusters(db, key, rules, traits.is_gateway):
        port = ports.get(each.port)
        if port is None:
            declared = found.port(each.port)
            assert declared is not None, each
            port = ports[each.port] = _Port(db, found, declared, rules, rule, traits, sockets)
        made[each.name] = resource_of_bytes(each.name, port.cluster(each))
    return made


_NO_RULE = MergedRule()


class _Parts(NamedTuple):
    """What all clusters of a port under one policy have."""

    settings: bytes
    sockets: Sockets
    """As far as they do not name the subset."""
    refuses: bool = False
    """There are no endpoints to connect to, wherever they would come from."""


class _Port:
    """Makes the clusters of one port of a service."""

    def __init__(
        self,
        db: Reader,
        found: Service,
        port: ServicePort,
        rules: Rules,
        rule: MergedRule,
        traits: ClientTraits,
        sockets: ServiceSockets,
    ) -> None:
        self._db = db
        self._service = found
        self._port = port
        self._rule = rule
        self._is_gateway = traits.is_gateway
        self._sockets = sockets
        self._naming = PortNaming(found, port, rules, mesh_defaults(db).outbound_stat_name)
        self._certificates = traits.certificates
        self._general: _Parts | None = None
        self._special = {subset.name for subset in rule.subsets if subset.traffic_policy is not None}

    def cluster(self, each: OutboundCluster) -> bytes:
        """One `Cluster`."""
        if each.subset in self._special:
            parts = self._parts(each.subset, each.discovery)
        else:
            if self._general is None:
                self._general = self._parts("", each.discovery)
            parts = self._general
        naming = self._naming.of(each.name, each.subset, "" if parts.refuses else assignment_of(each))
        return b"".join((naming, parts.settings, parts.sockets.of(each.subset)))

    def _parts(self, subset: str, discovery: Discovery) -> _Parts:
        db = self._db
        mesh = mesh_defaults(db)
        protocol = self._port.protocol
        policy = policy_of(self._rule, self._port.port, subset) if self._rule is not _NO_RULE else NO_POLICY
        if refuses(policy, self._certificates):
            return _Parts(refusing_settings(db), Sockets(b""), refuses=True)
        version = http_version(
            protocol, policy.connection_pool, mesh_upgrades=mesh.upgrades_to_http2, is_gateway=self._is_gateway
        )
        body = settings(db, settings_of(mesh, policy, self._service, discovery, version))
        return _Parts(body, self._sockets.under(policy, self._port, version, discovery))
