"""A mesh in memory for tests: resources as users write them, and what a proxy would hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from textwrap import dedent
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

import msgspec
import yaml

from lateen.api.kinds import kind_of
from lateen.api.mesh.parse import parse_mesh_config, parse_mesh_networks
from lateen.api.objects import Key
from lateen.api.parse import parse
from lateen.api.schema.fault import Fault
from lateen.engine import Engine, Query, Reader, query
from lateen.model.endpoint import Locality
from lateen.model.inputs import CLUSTER_ID, MESH_CONFIG, MESH_NETWORKS
from lateen.model.proxy import Generator, Proxy, Role, Traits, View
from lateen.model.tables import TABLES
from lateen.model.views import views_of
from lateen.translate.resource import Recipe, Resource, ResourceType

P = ParamSpec("P")
R = TypeVar("R")

_VERSIONS = {
    "Service": "v1",
    "Pod": "v1",
    "Node": "v1",
    "Namespace": "v1",
    "Secret": "v1",
    "ConfigMap": "v1",
    "EndpointSlice": "discovery.k8s.io/v1",
}
"""API versions that `apply` fills in where a document has none, as tests rarely care."""

_GROUPS = {
    "networking.istio.io/v1": (
        "VirtualService",
        "DestinationRule",
        "Gateway",
        "ServiceEntry",
        "Sidecar",
        "WorkloadEntry",
        "WorkloadGroup",
    ),
    "networking.istio.io/v1alpha3": ("EnvoyFilter",),
    "security.istio.io/v1": ("PeerAuthentication", "RequestAuthentication", "AuthorizationPolicy"),
}
_VERSIONS |= {kind: version for version, kinds in _GROUPS.items() for kind in kinds}


class Rejected(AssertionError):
    """A resource of a test is not valid."""

    def __init__(self, document: Mapping[str, Any], faults: tuple[Fault, ...]) -> None:
        super().__init__(f"{document.get('kind')} {document.get('metadata')}: {faults}")
        self.faults = faults


class Mesh:
    """An engine filled from resources, without a source in between."""

    witness: ClassVar[Callable[[ResourceType, Resource], None] | None] = None
    """Shown all that `resources` gives out: the tests have Envoy judge it in bulk (tests/conftest.py)."""

    def __init__(self, *resources: str | Mapping[str, Any]) -> None:
        self.engine = Engine()
        if resources:
            self.apply(*resources)

    def apply(self, *resources: str | Mapping[str, Any], cluster: str = "") -> None:
        """Adds or replaces resources, given as YAML (of several documents) or as data, in one change.

        `apiVersion` may be left out; a namespaced object without a namespace is in `default`. Raises `Rejected` when
        one is not valid; warnings are let be.
        """
        documents = [document for each in resources for document in _documents(each)]
        with self.engine.change() as tx:
            for document in documents:
                parsed = parse(document, cluster)
                if parsed.kind is None or parsed.value is None:
                    raise Rejected(document, parsed.faults)
                tx.set(TABLES[parsed.kind], parsed.key, parsed.value)

    def delete(self, kind: str, namespace: str, name: str, cluster: str = "") -> None:
        """Removes a resource."""
        found = kind_of(_VERSIONS[kind], kind)
        assert found is not None, kind
        with self.engine.change() as tx:
            tx.delete(TABLES[found], Key(namespace, name, cluster))

    def mesh_config(self, text: str) -> None:
        """Sets the MeshConfig, from YAML over the defaults."""
        value, faults = parse_mesh_config(text)
        if value is None:
            raise Rejected({"kind": "MeshConfig"}, faults)
        with self.engine.change() as tx:
            tx.put(MESH_CONFIG, value)

    def mesh_networks(self, text: str) -> None:
        """Sets the MeshNetworks, from YAML."""
        value, faults = parse_mesh_networks(text)
        if value is None:
            raise Rejected({"kind": "MeshNetworks"}, faults)
        with self.engine.change() as tx:
            tx.put(MESH_NETWORKS, value)

    def proxy(
        self,
        id: str = "client.default",
        labels: Mapping[str, str] | None = None,
        *,
        role: Role = Role.SIDECAR,
        addresses: tuple[str, ...] = ("10.99.0.1",),
        service_account: str = "default",
        locality: Locality | None = None,
        network: str = "",
        cluster: str = "",
        node: str = "",
        traits: Traits | None = None,
        metadata: Mapping[str, str] | None = None,
        generator: Generator = Generator.ENVOY,
    ) -> Proxy:
        """A proxy as it would present itself, by `name.namespace`."""
        return Proxy(
            id=id,
            role=role,
            namespace=id.rpartition(".")[2],
            labels=tuple(sorted((labels or {}).items())),
            service_account=service_account,
            addresses=addresses,
            locality=locality or Locality(),
            network=network,
            cluster_id=cluster or CLUSTER_ID.default,
            node=node,
            dns_domain=f"{id.rpartition('.')[2]}.svc.cluster.local",
            traits=traits or Traits(),
            metadata=tuple(sorted((metadata or {}).items())),
            generator=generator,
        )

    def gateway(self, id: str = "gateway.istio-system", labels: Mapping[str, str] | None = None, **rest: Any) -> Proxy:
        """A gateway proxy; by default with the label that the standard ingress gateway has."""
        return self.proxy(id, {"istio": "ingressgateway"} if labels is None else labels, role=Role.ROUTER, **rest)

    def get(self, function: Callable[Concatenate[Reader, P], R] | Query[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a query, or of any function of a reader."""
        asked: Query[P, R] = function if isinstance(function, Query) else query(function)
        return self.engine.get(asked, *args, **kwargs)

    def views(self, proxy: Proxy) -> tuple[View, ...]:
        """The views of a proxy."""
        return self.get(views_of, proxy)

    def recipes(self, type_: ResourceType, proxy: Proxy) -> dict[str, Recipe]:
        """What a proxy is to hold of a type, not made yet."""
        from lateen.translate.catalog import listing, views

        listed = [recipe for view in self.get(views, proxy) for recipe in self.get(listing, type_, view)]
        named = {recipe.name: recipe for recipe in listed}
        assert len(named) == len(listed), (
            f"{type_.name}: a name is listed twice: {sorted(each.name for each in listed)}"
        )
        return named

    def resources(self, type_: ResourceType, proxy: Proxy) -> dict[str, Resource]:
        """What a proxy holds of a type, by name."""
        made = {name: self.make(recipe) for name, recipe in self.recipes(type_, proxy).items()}
        if Mesh.witness is not None and proxy.generator is Generator.ENVOY:
            for resource in made.values():
                Mesh.witness(type_, resource)
        return made

    def make(self, recipe: Recipe) -> Resource:
        """The resource of a recipe."""
        return self.engine.get(recipe.query, *recipe.args)


def endpoint_slice(
    service: str,
    namespace: str = "default",
    *,
    ports: Mapping[str, int],
    addresses: tuple[str, ...] = (),
    pods: Mapping[str, str] | None = None,
    name: str = "",
    ready: bool = True,
) -> dict[str, Any]:
    """The EndpointSlice of a Service: bare addresses, and pods by name with their addresses; ports by name."""
    conditions = {"ready": ready}
    backends: list[dict[str, Any]] = [{"addresses": [address], "conditions": conditions} for address in addresses]
    backends += [
        {"addresses": [address], "conditions": conditions, "targetRef": {"kind": "Pod", "name": pod}}
        for pod, address in (pods or {}).items()
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name or f"{service}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv6" if any(":" in address for each in backends for address in each["addresses"]) else "IPv4",
        "endpoints": backends,
        "ports": [{"name": port, "port": number, "protocol": "TCP"} for port, number in ports.items()],
    }


def _documents(resource: str | Mapping[str, Any]) -> list[dict[str, Any]]:
    loaded = list(yaml.safe_load_all(dedent(resource))) if isinstance(resource, str) else [dict(resource)]
    # Through JSON, as resources come in reality: dates and numbers as keys are YAML's alone.
    plain = [msgspec.json.decode(msgspec.json.encode(document)) for document in loaded if document]
    return [{"apiVersion": _VERSIONS.get(document.get("kind", ""), ""), **document} for document in plain]
