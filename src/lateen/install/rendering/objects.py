"""All objects of an installation, in the order of application. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from lateen.api.mesh.parse import parse_mesh_config
from lateen.install.names import BASE, COMPONENTS, EGRESS, INGRESS, PILOT
from lateen.install.rendering.base import base_objects
from lateen.install.rendering.control_plane import control_plane_objects
from lateen.install.rendering.gateways import gateway_objects
from lateen.install.rendering.mesh import mesh_config_text
from lateen.install.rendering.overlays import with_overlays
from lateen.install.rendering.settings import with_settings
from lateen.install.values.gateway import Gateway
from lateen.install.values.operator import Operator


class Rendered(msgspec.Struct, frozen=True):
    """One object, and the component that it is of."""

    component: str
    object: dict[str, Any]


def render(operator: Operator) -> tuple[Rendered, ...]:
    """Raises PathError for an overlay that does not fit."""
    found = sorted(_rendered(operator), key=lambda each: COMPONENTS.index(each.component))
    # Copies in which no two places share an object, which YAML would print as an alias.
    return tuple(Rendered(each.component, msgspec.json.decode(msgspec.json.encode(each.object))) for each in found)


def _rendered(operator: Operator) -> Iterator[Rendered]:
    components = operator.components
    if components.base.enabled:
        for each in with_overlays(base_objects(operator), components.base.k8s.overlays, "components.base"):
            yield Rendered(BASE, each)
    if components.pilot.enabled:
        objects = with_settings(control_plane_objects(operator), components.pilot.k8s, "discovery")
        for each in with_overlays(objects, components.pilot.k8s.overlays, "components.pilot"):
            yield Rendered(PILOT, each)
    mesh, _ = parse_mesh_config(mesh_config_text(operator))
    assert mesh is not None, "an installation is resolved only with a good MeshConfig"
    for component, kind in ((INGRESS, "ingressGateways"), (EGRESS, "egressGateways")):
        gateways = components.ingress_gateways if component == INGRESS else components.egress_gateways
        for index, gateway in enumerate(gateways):
            if gateway.enabled:
                objects = with_settings(
                    gateway_objects(operator, component, gateway, _values(operator, component), mesh),
                    gateway.k8s,
                    "istio-proxy",
                )
                where = f"components.{kind}[{index}]"
                for each in with_overlays(objects, gateway.k8s.overlays, where):
                    yield Rendered(component, each)


def _values(operator: Operator, component: str) -> Gateway:
    """Of all gateways of a direction, as in Istio: `values.gateways.istio-ingressgateway`."""
    gateways = operator.values.gateways
    return gateways.istio_ingressgateway if component == INGRESS else gateways.istio_egressgateway
