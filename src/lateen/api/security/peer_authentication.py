"""PeerAuthentication (security.istio.io): whether workloads ask their callers for mutual TLS."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from msgspec import Meta

from lateen.api.schema.message import Message, Rule, rules
from lateen.api.type.selector import WorkloadSelector


class MutualTLSMode(Enum):
    UNSET = "UNSET"
    """As the next wider policy says; in the end PERMISSIVE."""
    DISABLE = "DISABLE"
    """Plain text only; TLS is the application's."""
    PERMISSIVE = "PERMISSIVE"
    """Plain text and mutual TLS."""
    STRICT = "STRICT"
    """Mutual TLS only."""


class MutualTLS(Message):
    mode: MutualTLSMode = MutualTLSMode.UNSET
    """What callers must speak."""


PortLevelMutualTLS = Annotated[
    dict[str, MutualTLS],
    Meta(min_length=1),
    rules(("self.all(key, 0 < int(key) && int(key) <= 65535)", "port must be between 1-65535")),
]


class PeerAuthentication(Message):
    selector: WorkloadSelector | None = None
    """Workloads of the namespace that it is for; absent: all (in the root namespace: all of the mesh)."""
    mtls: MutualTLS | None = None
    """For all ports."""
    port_level_mtls: PortLevelMutualTLS = {}
    """For single ports, by the number the workload listens on; needs a `selector`."""

    rules = (
        Rule(
            "(has(self.selector) && has(self.selector.matchLabels) && self.selector.matchLabels.size() > 0)"
            " || !has(self.portLevelMtls)",
            "portLevelMtls requires selector",
        ),
    )
