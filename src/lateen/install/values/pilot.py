"""`values.pilot`: the control plane."""

from __future__ import annotations

import msgspec

from lateen.api.schema.message import AnyStruct
from lateen.injection.values import CniValues
from lateen.install.values.deployment import Deployment
from lateen.install.values.kubernetes import ResourceRequirements


class Pilot(Deployment, frozen=True, kw_only=True):
    """`values.pilot`: the control plane's own Deployment; `cni` and `env` concern injection too."""

    cni: CniValues = CniValues()
    """Who captures the traffic of pods."""
    hub: str = ""
    """Where the image is, if not where all are."""
    tag: str = ""
    """Its tag, if not that of all."""
    variant: str = ""
    """Appended to its tag, if not that of all."""
    image: str = "pilot"
    """Name of the image, or a whole reference (with a `/`)."""
    resources: ResourceRequirements = ResourceRequirements(requests={"cpu": "500m", "memory": "2048Mi"})
    """Of the container."""
    seccomp_profile: AnyStruct = msgspec.field(default_factory=dict)
    """Of the container. Default: `type: RuntimeDefault`."""
    env_var_from: tuple[AnyStruct, ...] = ()
    """Environment of the container, as Kubernetes writes it: with `valueFrom`."""
    extra_container_args: tuple[str, ...] = ()
    """Further arguments of the container."""
    pod_labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the pods."""
    deployment_labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the Deployment."""
    volumes: tuple[AnyStruct, ...] = ()
    """Further volumes of the pods."""
    volume_mounts: tuple[AnyStruct, ...] = ()
    """Further mounts of the container."""
    init_containers: tuple[AnyStruct, ...] = ()
    """Of the pods."""
    keepalive_max_server_connection_age: str = "30m"
    """How long a proxy stays connected to one replica."""
    config_map: bool = True
    """The ConfigMap with the mesh's configuration is installed."""
