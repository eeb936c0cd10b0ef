"""The bootstrap of gRPC's own xDS client, for an application that is its own proxy (gRFCs A27, A29, A36 and A65). Pure.

The library speaks with the control plane itself, over mutual TLS with the workload's certificate: nothing is between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["grpc_bootstrap"]

_CERTIFICATES: Final = {
    "certificate_file": "cert-chain.pem",
    "private_key_file": "key.pem",
    "ca_certificate_file": "root-cert.pem",
}
"""Names of files in the directory that an application reads, by what gRPC calls them."""
_REFRESH: Final = "10s"
"""How often gRPC looks at the files. New roots are trusted after that."""
_LISTENERS: Final = "xds.istio.io/grpc/lds/inbound/%s"
"""Name of the listener that a server asks for: `%s` is where it listens, as `0.0.0.0:7070`."""


def grpc_bootstrap(node: Mapping[str, Any], control_plane: str, certificates: str) -> dict[str, Any]:
    """As JSON has it. `control_plane` is HOST:PORT; `certificates` the directory of the files, empty for plaintext."""
    found: dict[str, Any] = {
        "xds_servers": [{
            "server_uri": f"dns:///{control_plane}",
            "channel_creds": [_credentials(certificates)],
            "server_features": ["xds_v3"],
        }],
        # Some libraries want a locality, be it an empty one.
        "node": {"locality": {}, **node},
        "server_listener_resource_name_template": _LISTENERS,
    }  # fmt: skip
    if certificates:
        provider = {"plugin_name": "file_watcher", "config": _files(certificates)}
        found["certificate_providers"] = {"default": provider}
    return found


def _credentials(certificates: str) -> dict[str, Any]:
    return {"type": "tls", "config": _files(certificates)} if certificates else {"type": "insecure"}


def _files(directory: str) -> dict[str, str]:
    return {**{what: f"{directory}/{name}" for what, name in _CERTIFICATES.items()}, "refresh_interval": _REFRESH}
