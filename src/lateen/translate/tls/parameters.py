"""Versions, ciphers and curves of TLS, as the mesh demands them."""

from __future__ import annotations

from typing import Any

import msgspec
from envoy.extensions.transport_sockets.tls.v3 import common_pb2

from lateen.engine import Reader, query
from lateen.model.inputs import MESH_CONFIG

_FIPS_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
_FIPS_CURVES = ("P-256",)
_POST_QUANTUM_CURVES = ("X25519MLKEM768",)
"""With TLS 1.3 only, whose ciphers Envoy does not let one choose."""

FIPS = "fips-140-2"
POST_QUANTUM = "pqc"


class TlsDemands(msgspec.Struct, frozen=True):
    """What the mesh demands of TLS connections."""

    cipher_suites: tuple[str, ...] = ()
    """The only ones, up to TLS 1.2; empty: Envoy's."""
    curves: tuple[str, ...] = ()
    """The only ones; empty: Envoy's."""
    compliance: str = ""
    """`fips-140-2`, `pqc` or nothing; comes before all else."""


@query
def tls_demands(db: Reader) -> TlsDemands:
    """MeshConfig.tlsDefaults (of all TLS but the mesh's own) and compliancePolicy."""
    mesh = MESH_CONFIG.get(db)
    defaults = mesh.tls_defaults
    if defaults is None:
        return TlsDemands(compliance=mesh.compliance_policy)
    return TlsDemands(defaults.cipher_suites, defaults.ecdh_curves, mesh.compliance_policy)


def client_parameters(demands: TlsDemands) -> Any:
    """`TlsParameters` of a client: TLS 1.2 and 1.3 (Envoy's own default is 1.2 alone)."""
    parameters = common_pb2.TlsParameters(
        tls_minimum_protocol_version=common_pb2.TlsParameters.TLSv1_2,
        tls_maximum_protocol_version=common_pb2.TlsParameters.TLSv1_3,
        cipher_suites=demands.cipher_suites,
        ecdh_curves=demands.curves,
    )
    comply(parameters, demands.compliance)
    return parameters


def comply(parameters: Any, compliance: str) -> None:
    """Restricts `TlsParameters` to what a compliance policy allows."""
    if compliance == FIPS:
        _restrict(parameters, common_pb2.TlsParameters.TLSv1_2, _FIPS_CIPHERS, _FIPS_CURVES)
    elif compliance == POST_QUANTUM:
        _restrict(parameters, common_pb2.TlsParameters.TLSv1_3, (), _POST_QUANTUM_CURVES)


def _restrict(parameters: Any, version: Any, ciphers: tuple[str, ...], curves: tuple[str, ...]) -> None:
    parameters.tls_minimum_protocol_version = version
    parameters.tls_maximum_protocol_version = version
    del parameters.cipher_suites[:]
    parameters.cipher_suites.extend(ciphers)
    del parameters.ecdh_curves[:]
    parameters.ecdh_curves.extend(curves)
