"""Clusters that a proxy gets for a service under a DestinationRule, for the tests of their parts."""

from __future__ import annotations

from typing import Any, Final

import yaml
from google.protobuf import json_format

from lateen.model.proxy import GatewayView, OutboundView, Proxy, Role
from lateen.testing.envoy import decoded
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.translate.clusters.connection_pool import HTTP_OPTIONS
from lateen.translate.clusters.outbound import service_recipes
from lateen.translate.resource import Resource, ResourceType

HOST: Final = "reviews.shop.svc.cluster.local"
REVIEWS: Final = f"""
kind: Service
metadata: {{name: reviews, namespace: shop}}
spec:
  clusterIP: 10.0.0.1
  selector: {{app: reviews}}
  ports:
  - {{name: http, port: 80, targetPort: 8080}}
  - {{name: grpc, port: 81, targetPort: 8080}}
  - {{name: tcp, port: 82, targetPort: 8080}}
  - {{name: unnamed, port: 83, targetPort: 8080}}
---
kind: Pod
metadata: {{name: reviews-1, namespace: shop, labels: {{app: reviews, security.istio.io/tlsMode: istio}}}}
spec: {{serviceAccountName: runner, nodeName: n, containers: [{{name: c}}]}}
status: {{podIP: 10.1.0.1, podIPs: [{{ip: 10.1.0.1}}]}}
---
{yaml.safe_dump(endpoint_slice("reviews", "shop", ports={"http": 8080, "grpc": 8080}, pods={"reviews-1": "10.1.0.1"}))}
"""


def rule(policy: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A DestinationRule of reviews."""
    return {
        "kind": "DestinationRule",
        "metadata": {"name": "reviews", "namespace": "shop"},
        "spec": {"host": HOST, **({"trafficPolicy": policy} if policy else {}), **spec},
    }


def made(mesh: Mesh, proxy: Proxy) -> list[Resource]:
    """The clusters of services that the proxy gets."""
    view = next(each for each in mesh.views(proxy) if isinstance(each, OutboundView | GatewayView))
    return [mesh.make(recipe) for recipe in mesh.get(service_recipes, view)]


def message(mesh: Mesh, name: str = f"outbound|80||{HOST}", *, role: Role = Role.SIDECAR, **rest: Any) -> Any:
    """One cluster as Envoy's message; `rest` is of the proxy."""
    found = {each.name: each for each in made(mesh, mesh.proxy(role=role, **rest))}
    return decoded(ResourceType.CDS, found[name])


def cluster(
    policy: dict[str, Any] | None = None, *, port: int = 80, subset: str = "", mesh_config: str = "", **spec: Any
) -> dict[str, Any]:
    """A cluster of reviews under a policy, as JSON data."""
    mesh = Mesh(REVIEWS, *([rule(policy, **spec)] if policy or spec else []))
    if mesh_config:
        mesh.mesh_config(mesh_config)
    found = json_format.MessageToDict(
        message(mesh, f"outbound|{port}|{subset}|{HOST}"), preserving_proto_field_name=True
    )
    return dict(found)


def http_options(found: dict[str, Any]) -> dict[str, Any]:
    """How a cluster speaks HTTP."""
    options = dict(found.get("typed_extension_protocol_options", {}).get(HTTP_OPTIONS, {}))
    options.pop("@type", None)
    return options


def tls_context(socket: dict[str, Any]) -> dict[str, Any]:
    """Of a transport socket."""
    return dict(socket["typed_config"])


OUTLIERS: Final = {"consecutive5xxErrors": 3}
FAILOVER: Final[dict[str, Any]] = {"localityLbSetting": {"failover": [{"from": "a", "to": "b"}]}}
DISTRIBUTE: Final[dict[str, Any]] = {"localityLbSetting": {"distribute": [{"from": "a/*", "to": {"a": 100}}]}}


def entry(resolution: str, **spec: Any) -> dict[str, Any]:
    """A ServiceEntry beyond the mesh."""
    return {
        "kind": "ServiceEntry",
        "metadata": {"name": "entry", "namespace": "shop"},
        "spec": {
            "hosts": ["a.example.com"],
            "location": "MESH_EXTERNAL",
            "resolution": resolution,
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            **spec,
        },
    }
