"""All clusters of one service at once: they have most in common, so what they share is made once per service, per port,
or per policy, and what is a cluster's own (its names) is joined to it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from lateen.engine import Reader, query
from lateen.model.destination_rules import MergedRule, Rules, merged_rule
from lateen.model.outbound_clusters import Discovery, OutboundCluster, service_clusters
from lateen.model.protocol import Protocol
from lateen.model.proxy import Certificates
from lateen.model.service import Service, ServiceKey
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
    clusters = _Clusters(db, found, rules, traits)
    listed = service_clusters(db, key, rules, traits.is_gateway)
    return {each.name: resource_of_bytes(each.name, clusters.made(each)) for each in listed}


class _Parts(NamedTuple):
    """What all clusters of a port under one policy have."""

    settings: bytes
    sockets: Sockets
    """As far as they do not name the subset."""
    refuses: bool = False
    """There are no endpoints to connect to, wherever they would come from."""


class _Clusters:
    """Makes the clusters of one service."""

    __slots__ = ("_certificates", "_db", "_is_gateway", "_mesh", "_naming", "_parts", "_rule", "_service", "_sockets")

    def __init__(self, db: Reader, found: Service, rules: Rules, traits: ClientTraits) -> None:
        self._db = db
        self._service = found
        self._is_gateway = traits.is_gateway
        self._certificates = traits.certificates
        self._mesh = mesh_defaults(db)
        self._rule = merged_rule(db, rules) if rules else _NO_RULE
        may_use_credentials = traits.is_gateway or self._rule.has_selector
        self._sockets = ServiceSockets(db, found, traits.certificates, may_use_credentials=may_use_credentials)
        pattern = self._mesh.outbound_stat_name
        self._naming = {
            port.port: PortNaming(found, port, rules, pattern)
            for port in found.ports
            if port.protocol is not Protocol.UDP
        }
        self._parts: dict[tuple[int, str], _Parts] = {}
        """By port and by subset, if that has a policy of its own."""

    def made(self, each: OutboundCluster) -> bytes:
        """One `Cluster`."""
        special = self._rule.subset(each.subset) if each.subset else None
        at = (each.port, each.subset if special is not None and special.traffic_policy is not None else "")
        parts = self._parts.get(at)
        if parts is None:
            parts = self._parts[at] = self._made(*at, each.discovery)
        naming = self._naming[each.port].of(each.name, each.subset, "" if parts.refuses else assignment_of(each))
        return b"".join((naming, parts.settings, parts.sockets.of(each.subset)))

    def _made(self, number: int, subset: str, discovery: Discovery) -> _Parts:
        policy = policy_of(self._rule, number, subset) if self._rule is not _NO_RULE else NO_POLICY
        if refuses(policy, self._certificates):
            return _Parts(refusing_settings(self._db), Sockets(b""), refuses=True)
        port = self._naming[number].port
        version = http_version(
            port.protocol,
            policy.connection_pool,
            mesh_upgrades=self._mesh.upgrades_to_http2,
            is_gateway=self._is_gateway,
        )
        body = settings(self._db, settings_of(self._mesh, policy, self._service, discovery, version))
        return _Parts(body, self._sockets.under(policy, port, version, discovery))


_NO_RULE = MergedRule()
