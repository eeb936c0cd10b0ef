"""networking.istio.io WorkloadEntry: one workload that is not a pod, or one address behind a ServiceEntry."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from lateen.api.schema.message import Message, Rule, UInt32, rules

EndpointPort = Annotated[UInt32, rules(("0 < self && self <= 65535", "port must be between 1-65535"))]

HEALTHY = "Healthy"
"""A condition of its status: `True` after a health check that it passed."""
HEALTH_CHECK_ANNOTATION = "proxy.istio.io/health-checks-enabled"
"""True: somebody checks its health, and it is not healthy until its status says so."""

ADDRESS_RULE = Rule("has(self.address) || has(self.network)", "Address is required")
UNIX_RULE = Rule(
    "(has(self.address) ? self.address : '').startsWith('unix://') ? !has(self.ports) : true",
    "UDS may not include ports",
)


class WorkloadEntry(Message, frozen=True):
    """A workload's address, labels, identity and place."""

    rules: ClassVar[tuple[Rule, ...]] = (ADDRESS_RULE, UNIX_RULE)

    address: Annotated[
        str,
        Meta(max_length=256),
        rules(
            (
                "self.startsWith('unix://') ? (self.substring(7, 8) == '/' || self.substring(7, 8) == '@') : true",
                "UDS must be an absolute path or abstract socket",
            ),
            ("self.startsWith('unix://') ? !self.endsWith('/') : true", "UDS may not be a dir"),
        ),
    ] = ""
    """IP address; a full domain name where a ServiceEntry resolves by DNS; or `unix:///path`. May be left out when
    `network` is given: the network's gateway answers then."""
    ports: Annotated[
        dict[str, EndpointPort],
        Meta(max_length=128),
        rules(
            (
                "self.all(key, size(key) < 63 && key.matches('^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$'))",
                "port name must be valid",
            )
        ),
    ] = msgspec.field(default_factory=dict)
    """Service port name to the workload's port; names that are not here use the service's targetPort, or its number. A
    targetPort that is a name is looked for here, too: where it is not, the workload gets nothing of that port."""
    labels: Annotated[dict[str, str], Meta(max_length=256)] = msgspec.field(default_factory=dict)
    """Labels of the workload."""
    network: Annotated[str, Meta(max_length=2048)] = ""
    """The network the address is in; empty for the default."""
    locality: Annotated[str, Meta(max_length=2048)] = ""
    """`region/zone/subzone`."""
    weight: UInt32 = 0
    """Share of traffic relative to other endpoints; 0 counts as 1."""
    service_account: Annotated[str, Meta(max_length=253)] = ""
    """Service account of the workload, in the resource's namespace."""
