"""`values`: all of what Istio's Helm charts would be given, as far as it is honoured."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from lateen.api.schema.message import AnyStruct, Message
from lateen.injection.values import CniValues, GatewaysValues, PilotValues, WebhookValues
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


class Values(Message, frozen=True, kw_only=True):
    """`spec.values`, and what `--set values.KEY=VALUE` sets. `revision` is better written as `spec.revision`."""

    revision: Annotated[str, Meta(max_length=63)] = ""
    """Names the control plane; empty: the default one."""
    istio_cni: CniValues | None = msgspec.field(default=None, name="istio_cni")
    """`pilot.cni` by its old name."""
    global_: Global = msgspec.field(default=Global(), name="global")
    """What all components share."""
    pilot: Pilot = Pilot()
    """The control plane."""
    gateways: Gateways = Gateways()
    """Gateways."""
    sidecar_injector_webhook: WebhookValues = WebhookValues()
    """How and what the webhook injects."""
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

    def for_injection(self) -> InjectionValues:
        """The part that injection reads."""
        gateways = self.gateways
        return InjectionValues(
            global_=self.global_,
            sidecar_injector_webhook=self.sidecar_injector_webhook,
            revision=self.revision,
            pilot=PilotValues(cni=self.pilot.cni, env=self.pilot.env),
            istio_cni=self.istio_cni,
            gateways=GatewaysValues(
                security_context=gateways.security_context, seccomp_profile=gateways.seccomp_profile
            ),
        )
