"""`values`: all of what Istio's Helm charts would be given, as far as it is honoured."""

from __future__ import annotations

import msgspec

from lateen.api.schema.message import AnyStruct, Message
from lateen.injection.values import Values as InjectionValues
from lateen.install.values.gateway import Gateways
from lateen.install.values.global_values import Global
from lateen.install.values.pilot import Pilot


class Base(Message, frozen=True, kw_only=True):
    """`values.base`: what a cluster has once."""

    enable_istio_config_crds: bool = msgspec.field(default=True, name="enableIstioConfigCRDs")
    """The definitions of the mesh's kinds are installed."""


class Prometheus(Message, frozen=True, kw_only=True):
    """`values.telemetry.v2.prometheus`."""

    enabled: bool = True
    """Proxies measure what they carry, for Prometheus."""


class TelemetryV2(Message, frozen=True, kw_only=True):
    """`values.telemetry.v2`."""

    enabled: bool = True
    """Telemetry by the proxies."""
    prometheus: Prometheus = Prometheus()
    """Metrics."""


class Telemetry(Message, frozen=True, kw_only=True):
    """`values.telemetry`: becomes `meshConfig.defaultProviders.metrics`."""

    enabled: bool = True
    """Telemetry at all."""
    v2: TelemetryV2 = TelemetryV2()
    """Telemetry by the proxies."""


class Values(InjectionValues, frozen=True, kw_only=True):
    """`spec.values`, and what `--set values.KEY=VALUE` sets. `revision` is better written as `spec.revision`."""

    global_: Global = msgspec.field(default=Global(), name="global")
    """What all components share."""
    pilot: Pilot = Pilot()
    """The control plane."""
    gateways: Gateways = Gateways()
    """Gateways."""
    sidecar_injector_webhook_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    """Annotations of the webhook configuration that injects."""
    telemetry: Telemetry = Telemetry()
    """What proxies measure by default."""
    mesh_config: AnyStruct = msgspec.field(default_factory=dict)
    """MeshConfig; `spec.meshConfig` goes before, field by field."""
    base: Base = Base()
    """What a cluster has once."""
    revision_tags: tuple[str, ...] = ()
    """Other names of this revision: namespaces labelled `istio.io/rev=TAG` are injected by it. `default` stands for
    namespaces labelled `istio-injection=enabled`."""
    default_revision: str = "default"
    """Which revision judges resources that name none: this one's name, or empty for none."""
