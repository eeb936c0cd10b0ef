"""`values.global`: what all components share."""

from __future__ import annotations

import msgspec

from lateen.api.schema.message import AnyStruct, Message
from lateen.injection.values import GlobalValues
from lateen.install.values.kubernetes import ResourceRequirements


class Enabled(Message, frozen=True, kw_only=True):
    """A switch."""

    enabled: bool = True
    """On or off."""


class Global(GlobalValues, frozen=True, kw_only=True):
    """`values.global`: what injection reads of it, and what is about the installation alone."""

    priority_class_name: str = ""
    """Of the control plane's pods and of gateways."""
    default_pod_disruption_budget: Enabled = Enabled()
    """PodDisruptionBudgets for the control plane and for gateways."""
    default_resources: ResourceRequirements = ResourceRequirements(requests={"cpu": "10m"})
    """Of components whose own are emptied."""
    default_node_selector: dict[str, str] = msgspec.field(default_factory=dict)
    """Of components that do not name their own."""
    default_tolerations: tuple[AnyStruct, ...] = ()
    """Of components that do not name their own."""
    config_validation: bool = True
    """Webhooks that judge the mesh's resources when they are written."""
    operator_manage_webhooks: bool = False
    """No webhook that injects is installed: whoever operates the cluster has one."""
    omit_sidecar_injector_config_map: bool = False
    """No ConfigMap for the injector is installed: there is one already."""
    mesh_networks: AnyStruct = msgspec.field(default_factory=dict)
    """The networks of the mesh, by name, with their gateways."""
