"""Parts of Kubernetes' own API that values carry into objects as they are."""

from __future__ import annotations

from typing import Any

import msgspec

from lateen.api.schema.message import AnyStruct, Message


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
