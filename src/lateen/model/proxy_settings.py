"""What a ProxyConfig says to the control plane: the rest of it is for the injector and the proxy's agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from lateen.api.mesh.parse import without_unknown_fields
from lateen.api.mesh.proxy_config import ProxyHeaders, Topology
from lateen.api.schema.decode import Decoder
from lateen.api.schema.fault import Fault, error
from lateen.model.proxy import ProxySettings

HEADERS: Final = "proxyHeaders"
TOPOLOGY: Final = "gatewayTopology"
_HEADERS: Final = Decoder(ProxyHeaders)
_TOPOLOGY: Final = Decoder(Topology)

M = TypeVar("M", bound=msgspec.Struct)


def settings_of(config: Mapping[str, Any]) -> tuple[ProxySettings, tuple[Fault, ...]]:
    """The settings in a ProxyConfig as it is written, and the errors in them. What is wrong counts as not there."""
    headers, wrong_headers = _decoded(_HEADERS, config.get(HEADERS), HEADERS)
    topology, wrong_topology = _decoded(_TOPOLOGY, config.get(TOPOLOGY), TOPOLOGY)
    return ProxySettings(headers, topology), (*wrong_headers, *wrong_topology)


def _decoded(decoder: Decoder[M], value: Any, path: str) -> tuple[M | None, tuple[Fault, ...]]:
    if value is None:
        return None, ()
    if not isinstance(value, Mapping):
        return None, (error(path, f"expected an object, got {value!r}"),)
    # A proxy may be of a newer version.
    known, _ = without_unknown_fields(value, decoder.shape)
    return decoder.decode(known, path)
