"""Parts of Kubernetes' own API that values carry into objects as they are."""

from __future__ import annotations

from typing import Any

import msgspec

from lateen.api.schema.message import AnyStruct, Message, PortNumber


class ResourceRequirements(Message, frozen=True, kw_only=True):
    """Kubernetes' ResourceRequirements."""

    requests: AnyStruct = msgspec.field(default_factory=dict)
    """What is set aside, by resource: `cpu: 100m`, `memory: 128Mi`."""
    limits: AnyStruct = msgspec.field(default_factory=dict)
    """The most that may be used, by resource."""

    def render(self) -> dict[str, Any]:
        return {name: dict(found) for name, found in (("limits", self.limits), ("requests", self.requests)) if found}


class Utilization(Message, frozen=True, kw_only=True):
    """What an autoscaler aims at."""

    target_average_utilization: int | None = None
    """Percent of what is requested."""


class ServicePort(Message, frozen=True, kw_only=True):
    """Kubernetes' ServicePort."""

    name: str = ""
    """Of the port; with more than one port each needs one."""
    port: PortNumber
    """On which the Service listens."""
    target_port: int | str | None = None
    """Of the pods. Default: the same."""
    protocol: str = "TCP"
    """TCP, UDP or SCTP."""
    node_port: PortNumber | None = None
    """On every node, for the types NodePort and LoadBalancer."""
    app_protocol: str = ""
    """What is spoken there: `http`, `https`, `tcp`."""

    def render(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(self)
        return {"targetPort": self.port, "protocol": self.protocol, **found}
