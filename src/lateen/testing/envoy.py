"""The real Envoy as a judge: does it accept what was generated?"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import config_source_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from google.protobuf import any_pb2

from lateen.envoy_binary import envoy_path
from lateen.translate.envoy_types import MESSAGES, decoded, message_class, readable
from lateen.translate.resource import Resource, ResourceType

__all__ = ["MESSAGES", "accepts", "decoded", "shown"]


def accepts(resources: Mapping[ResourceType, Iterable[Resource]]) -> None:
    """Raises AssertionError, with Envoy's words, unless Envoy accepts all of these.

    Names may repeat (views differ): each resource is judged for itself, under a name of its own. Route
    configurations are judged inside a listener, load assignments inside a static cluster. Extensions (ECDS) are only
    decoded.
    """
    found = {type_: _distinct(listed) for type_, listed in resources.items()}
    said = _validate(found)
    if said is None:
        return
    raise AssertionError(f"Envoy refuses {_culprits(found)}:\n{said}")


def _distinct(listed: Iterable[Resource]) -> list[Resource]:
    return list({(resource.name, resource.version): resource for resource in listed}.values())


def _culprits(found: Mapping[ResourceType, list[Resource]]) -> str:
    """The first resource that is refused alone, found by halving; or all, when only their combination is refused."""
    flat = [(type_, resource) for type_, listed in found.items() for resource in listed]
    while len(flat) > 1:
        middle = len(flat) // 2
        for half in (flat[:middle], flat[middle:]):
            if _validate(_grouped(half)) is not None:
                flat = half
                break
        else:
            return ", ".join(f"{type_.name} {resource.name}" for type_, resource in flat) + " together"
    type_, resource = flat[0]
    return f"{type_.name} {resource.name}:\n{decoded(type_, resource)}"


def _grouped(flat: list[tuple[ResourceType, Resource]]) -> dict[ResourceType, list[Resource]]:
    grouped: dict[ResourceType, list[Resource]] = {}
    for type_, resource in flat:
        grouped.setdefault(type_, []).append(resource)
    return grouped


def _validate(found: Mapping[ResourceType, list[Resource]]) -> str | None:
    """What Envoy says against the configuration; None when it accepts it."""
    with tempfile.TemporaryDirectory(prefix="lateen-envoy-") as directory:
        path = Path(directory) / "bootstrap.pb"
        path.write_bytes(_bootstrap(found, Path(directory)).SerializeToString())
        ran = subprocess.run(
            [str(envoy_path()), "--mode", "validate", "--disable-hot-restart", "-c", str(path), "-l", "error"],
            capture_output=True,
            text=True,
            timeout=120,
            env={"PATH": os.environ.get("PATH", "")},
        )
    # Envoy 1.40 may fall at the end of validating counters that listeners share, long after it has judged.
    accepted = ran.returncode == 0 or f"configuration '{path}' OK" in ran.stdout
    return None if accepted else (ran.stderr + ran.stdout).strip()


def _bootstrap(found: Mapping[ResourceType, list[Resource]], directory: Path) -> Any:
    bootstrap = bootstrap_pb2.Bootstrap()
    bootstrap.node.id = "judge"
    bootstrap.node.cluster = "judge"
    # Resources refer to ADS; it needs an upstream to be declared, which is never dialled in validate mode.
    ads = bootstrap.dynamic_resources.ads_config
    ads.api_type = config_source_pb2.ApiConfigSource.DELTA_GRPC
    ads.transport_api_version = config_source_pb2.ApiVersion.V3
    ads.grpc_services.add().envoy_grpc.cluster_name = "judge-xds"
    xds = bootstrap.static_resources.clusters.add(name="judge-xds", type=cluster_pb2.Cluster.STATIC)
    xds.connect_timeout.seconds = 1
    for number, resource in enumerate(found.get(ResourceType.CDS, ())):
        cluster = decoded(ResourceType.CDS, resource)
        cluster.alt_stat_name = cluster.alt_stat_name or cluster.name
        cluster.name = f"{number}/{cluster.name}"
        _take_secrets_from(directory, cluster, ads_too=True)
        bootstrap.static_resources.clusters.append(cluster)
    for number, resource in enumerate(found.get(ResourceType.EDS, ())):
        cluster = bootstrap.static_resources.clusters.add(name=f"eds-{number}", type=cluster_pb2.Cluster.STATIC)
        cluster.connect_timeout.seconds = 1
        cluster.load_assignment.CopyFrom(decoded(ResourceType.EDS, resource))
        if _has_names(cluster.load_assignment):
            cluster.type = cluster_pb2.Cluster.STRICT_DNS
    for number, resource in enumerate(found.get(ResourceType.LDS, ())):
        listener = decoded(ResourceType.LDS, resource)
        listener.name = f"{number}/{listener.name}"
        _move(listener, number)
        _take_secrets_from(directory, listener, ads_too=False)
        bootstrap.static_resources.listeners.append(listener)
    for number, resource in enumerate(found.get(ResourceType.RDS, ())):
        listener = bootstrap.static_resources.listeners.add(name=f"rds-{number}")
        listener.address.socket_address.address = "127.0.0.1"
        listener.address.socket_address.port_value = number + 1
        manager = hcm_pb2.HttpConnectionManager(stat_prefix="judge")
        manager.route_config.CopyFrom(decoded(ResourceType.RDS, resource))
        # The clusters a route names are another resource's matter here.
        manager.route_config.validate_clusters.value = False
        router = manager.http_filters.add(name="envoy.filters.http.router")
        router.typed_config.Pack(router_pb2.Router())
        chain = listener.filter_chains.add().filters.add(name="envoy.filters.network.http_connection_manager")
        chain.typed_config.Pack(manager)
    for resource in found.get(ResourceType.SDS, ()):
        bootstrap.static_resources.secrets.append(decoded(ResourceType.SDS, resource))
    for resource in found.get(ResourceType.ECDS, ()):
        decoded(ResourceType.ECDS, resource)
    return bootstrap


_SECRET = "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig"


def _take_secrets_from(directory: Path, message: Any, *, ads_too: bool) -> None:
    """Has secrets come from a file that is there, wherever in a message they are asked for.

    Those by ADS only where `ads_too`: Envoy makes static clusters before it has ADS, and falls over it.
    """
    if isinstance(message, any_pb2.Any):
        found = message_class(message.TypeName())
        if found is not None:
            inner = found.FromString(message.value)
            _take_secrets_from(directory, inner, ads_too=ads_too)
            message.value = inner.SerializeToString(deterministic=True)
        return
    if message.DESCRIPTOR.full_name == _SECRET:
        source = message.sds_config
        if source.HasField("path_config_source") or (ads_too and source.HasField("ads")):
            path = directory / "secrets.yaml"
            path.write_text("resources: []\n")
            source.path_config_source.path = str(path)
            source.path_config_source.ClearField("watched_directory")
        return
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for item in value if field.is_repeated else (value,):
            _take_secrets_from(directory, item, ads_too=ads_too)


_FIRST_PORT = 20_000
"""Of listeners; below are those that are made for route configurations."""


def _move(listener: Any, number: int) -> None:
    """Gives a listener a port of its own: listeners of different proxies may share theirs."""
    for address in (listener.address, *(each.address for each in listener.additional_addresses)):
        if address.HasField("socket_address"):
            address.socket_address.port_value = _FIRST_PORT + number
        elif address.HasField("pipe"):
            address.pipe.path += f".{number}"


def _has_names(assignment: Any) -> bool:
    """Whether an address is a name: only DNS clusters take those."""
    return any(
        any(c.isalpha() for c in endpoint.endpoint.address.socket_address.address)
        and ":" not in endpoint.endpoint.address.socket_address.address
        for locality in assignment.endpoints
        for endpoint in locality.lb_endpoints
    )


def shown(type_: ResourceType, resource: Resource) -> dict[str, Any]:
    """A resource as JSON data, for reading in a failing test."""
    return readable(decoded(type_, resource))
