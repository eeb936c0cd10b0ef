"""istio.type.v1beta1: which workloads, resources, ports and directions a policy is about."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from msgspec import Meta

from lateen.api.schema.message import Message, rules


class WorkloadMode(Enum):
    """A side of the traffic."""

    UNDEFINED = "UNDEFINED"
    """Left to the field that uses it."""
    CLIENT = "CLIENT"
    """The workload is the source; gateways are clients too."""
    SERVER = "SERVER"
    """The workload is the destination."""
    CLIENT_AND_SERVER = "CLIENT_AND_SERVER"


MatchLabels = Annotated[
    dict[
        str,
        Annotated[
            str,
            Meta(max_length=63),
            rules(("!self.contains('*')", "a label value is matched exactly: wildcards are not allowed")),
        ],
    ],
    Meta(max_length=4096),
    rules(
        ("self.all(key, !key.contains('*'))", "a label key is matched exactly: wildcards are not allowed"),
        ("self.all(key, size(key) > 0)", "a label key must not be empty"),
    ),
]


class WorkloadSelector(Message):
    """Workloads by the labels of their pods."""

    match_labels: MatchLabels = {}
    """Labels that a workload must have, all of them. None selects every workload."""


class PortSelector(Message):
    """Traffic by its destination port."""

    number: Annotated[int, Meta(ge=1, le=65535)]
    """The port."""


class PolicyTargetReference(Message):
    """A resource that a policy is attached to (Gateway API's policy attachment)."""

    group: Annotated[
        str, Meta(max_length=253, pattern=r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    ] = ""
    """API group of the target; empty for Kubernetes' core group."""
    kind: Annotated[str, Meta(min_length=1, max_length=63, pattern=r"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")]
    """Kind of the target: `Gateway`, `GatewayClass`, `Service` or `ServiceEntry`."""
    name: Annotated[str, Meta(min_length=1, max_length=253)]
    """Name of the target."""
    namespace: Annotated[str, rules(("size(self) == 0", "a target in another namespace is not supported"))] = ""
    """Namespace of the target. Must be empty: a policy's targets are in its own namespace."""


TargetReferences = Annotated[tuple[PolicyTargetReference, ...], Meta(max_length=16)]
