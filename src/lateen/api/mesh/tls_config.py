"""MeshConfig.TLSConfig: what TLS connections of a kind may use."""

from __future__ import annotations

from enum import Enum

from lateen.api.schema.message import Message


class TLSProtocol(Enum):
    """MeshConfig.TLSConfig.TLSProtocol."""

    TLS_AUTO = "TLS_AUTO"
    """TLS 1.2 or newer."""
    TLSV1_2 = "TLSV1_2"
    TLSV1_3 = "TLSV1_3"

    __numbers__ = {"TLSV1_2": 3, "TLSV1_3": 4}


class TLSConfig(Message, frozen=True, kw_only=True):
    min_protocol_version: TLSProtocol = TLSProtocol.TLS_AUTO
    """The oldest version accepted; the newest is always TLS 1.3."""
    ecdh_curves: tuple[str, ...] = ()
    """The only curves of a key exchange; absent: Envoy's."""
    cipher_suites: tuple[str, ...] = ()
    """The only suites up to TLS 1.2; absent: AES-GCM with ECDHE (ECDSA, RSA) and with RSA."""
