"""The selector of Sidecar, ServiceEntry and EnvoyFilter (networking.istio.io; other groups have `matchLabels`)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from lateen.api.schema.message import Message, rules

LabelValue = Annotated[
    str, Meta(max_length=63), rules(("!self.contains('*')", "wildcard not allowed in label value match"))
]


class WorkloadSelector(Message, frozen=True):
    """Selects workloads by their labels, within the namespace of the resource."""

    labels: Annotated[
        dict[str, LabelValue],
        Meta(max_length=256),
        rules(
            ("self.all(key, !key.contains('*'))", "wildcard not allowed in label key match"),
            ("self.all(key, key.size() != 0)", "key must not be empty"),
        ),
    ] = msgspec.field(default_factory=dict)
    """All of these must be on the workload; none selects every workload of the namespace."""
