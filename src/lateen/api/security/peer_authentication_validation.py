"""What a PeerAuthentication must keep to beyond its types."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error
from lateen.api.security.peer_authentication import PeerAuthentication
from lateen.api.type.selector_validation import validate_selector

_LARGEST_PORT = 65535


def validate(obj: Object[PeerAuthentication]) -> Iterator[Fault]:
    """Faults of a PeerAuthentication."""
    spec = obj.spec
    yield from validate_selector(spec.selector)
    for port in spec.port_level_mtls:
        if not port.isdecimal() or not 1 <= int(port) <= _LARGEST_PORT:
            yield error(f"spec.portLevelMtls[{port}]", "is not a port, 1 to 65535")
    if spec.port_level_mtls and (spec.selector is None or not spec.selector.match_labels):
        yield error("spec.portLevelMtls", "needs a selector with labels: ports are those of particular workloads")
