"""Where Envoy gets certificates and trust roots: references, never the secrets themselves.

A proxy's own certificate and the mesh's roots are in files that Envoy watches. Credentials of gateways (and of clients
that a DestinationRule selects) come from the control plane over the proxy's own ADS stream.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from envoy.config.core.v3 import config_source_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2

from lateen.model.proxy import Certificates

WORKLOAD_CERTIFICATE = "default"
MESH_ROOTS = "ROOTCA"

_SCHEME = "kubernetes://"


def workload_certificate(certificates: Certificates) -> Any:
    """`SdsSecretConfig` of the proxy's own certificate and key."""
    return _from_file(WORKLOAD_CERTIFICATE, certificates.workload)


def mesh_roots(certificates: Certificates) -> Any:
    """`SdsSecretConfig` of the roots that workload certificates are verified with."""
    return _from_file(MESH_ROOTS, certificates.roots)


def credential(name: str) -> Any:
    """`SdsSecretConfig` of a credential (`credentialName`) that the control plane serves over ADS.

    Envoy's default of 15 s bounds how long what refers to it waits for it: a credential may not exist.
    """
    reference = secret_pb2.SdsSecretConfig(name=credential_resource(name))
    reference.sds_config.ads.SetInParent()
    reference.sds_config.resource_api_version = config_source_pb2.ApiVersion.V3
    return reference


def credential_resource(name: str) -> str:
    """The SDS resource of a `credentialName`: `kubernetes://NAME`, of the proxy's namespace, unless it says where."""
    return name if "://" in name else f"{_SCHEME}{name}"


def _from_file(name: str, path: str) -> Any:
    reference = secret_pb2.SdsSecretConfig(name=name)
    source = reference.sds_config.path_config_source
    source.path = path
    # Files are replaced by moving new ones into place, which a watch of the file alone does not see.
    source.watched_directory.path = str(PurePosixPath(path).parent)
    reference.sds_config.resource_api_version = config_source_pb2.ApiVersion.V3
    return reference
