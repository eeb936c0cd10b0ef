"""networking.istio.io Gateway: what a load balancer at the edge of the mesh listens for."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

from msgspec import Meta

from lateen.api.schema.message import Message, Rule, UInt32


class TLSmode(Enum):
    """ServerTLSSettings.TLSmode."""

    PASSTHROUGH = "PASSTHROUGH"
    """TLS is not terminated; the SNI is matched against VirtualService `tls` routes."""
    SIMPLE = "SIMPLE"
    """TLS is terminated; clients show no certificate."""
    MUTUAL = "MUTUAL"
    """TLS is terminated; clients must show a certificate."""
    AUTO_PASSTHROUGH = "AUTO_PASSTHROUGH"
    """TLS is not terminated; the SNI itself names the destination (traffic between networks of the mesh)."""
    ISTIO_MUTUAL = "ISTIO_MUTUAL"
    """As MUTUAL, with the gateway's own workload certificate and the mesh's roots."""
    OPTIONAL_MUTUAL = "OPTIONAL_MUTUAL"
    """As MUTUAL, but clients may show no certificate."""


class TLSProtocol(Enum):
    """ServerTLSSettings.TLSProtocol."""

    TLS_AUTO = "TLS_AUTO"
    """The default of the mesh (1.2 as the minimum, 1.3 as the maximum)."""
    TLSV1_0 = "TLSV1_0"
    TLSV1_1 = "TLSV1_1"
    TLSV1_2 = "TLSV1_2"
    TLSV1_3 = "TLSV1_3"


class TLSCertificate(Message):
    """ServerTLSSettings.TLSCertificate: one of several certificates of a server (RSA and ECDSA, say)."""

    server_certificate: str = ""
    """Path of the file with the server's certificate chain (PEM)."""
    private_key: str = ""
    """Path of the file with the server's private key (PEM)."""
    ca_certificates: str = ""
    """Path of the file with the authorities of client certificates (PEM)."""


class ServerTLSSettings(Message):
    """How a server speaks TLS to its clients."""

    https_redirect: bool = False
    """Answer plain HTTP requests with a 301 to the https form of the same URL."""
    mode: TLSmode = TLSmode.PASSTHROUGH
    """Whether, and how, TLS is terminated."""
    server_certificate: str = ""
    """Path of the file with the server's certificate chain (PEM). Needed by SIMPLE and MUTUAL without a credential."""
    private_key: str = ""
    """Path of the file with the server's private key (PEM). Needed by SIMPLE and MUTUAL without a credential."""
    ca_certificates: str = ""
    """Path of the file with the authorities of client certificates (PEM). Needed by MUTUAL without a credential."""
    ca_crl: str = ""
    """Path of the file with the certificates that are revoked (CRL, PEM)."""
    credential_name: str = ""
    """The Secret with certificate and key (and, for MUTUAL, the authorities), in the gateway workload's namespace."""
    credential_names: Annotated[tuple[str, ...], Meta(max_length=2)] = ()
    """As `credentialName`, for several certificates of different types of key."""
    ca_cert_credential_name: str = ""
    """The Secret with the authorities of client certificates, where they are not in the credential."""
    tls_certificates: Annotated[tuple[TLSCertificate, ...], Meta(max_length=2)] = ()
    """As `serverCertificate` and `privateKey`, for several certificates of different types of key."""
    subject_alt_names: tuple[str, ...] = ()
    """Of client certificates, at least one of these names is asked for; empty accepts any."""
    verify_certificate_spki: tuple[str, ...] = ()
    """Base64 of SHA-256 of the public keys (SPKI) of the client certificates that are let in."""
    verify_certificate_hash: tuple[str, ...] = ()
    """Hexadecimal SHA-256 of the client certificates that are let in, with or without colons."""
    min_protocol_version: TLSProtocol = TLSProtocol.TLS_AUTO
    """The lowest version of TLS accepted."""
    max_protocol_version: TLSProtocol = TLSProtocol.TLS_AUTO
    """The highest version of TLS accepted."""
    cipher_suites: tuple[str, ...] = ()
    """OpenSSL names of the cipher suites offered (TLS 1.2 and below); empty offers Envoy's own."""

    rules: ClassVar = (
        Rule(
            "!has(self.credentialNames) || !has(self.tlsCertificates)",
            "only one of credentialNames and tlsCertificates may be set",
        ),
        Rule(
            "!has(self.credentialName) || !has(self.credentialNames)",
            "only one of credentialName and credentialNames may be set",
        ),
    )


class Port(Message):
    """A port of a server."""

    number: UInt32
    """The port as clients see it; the gateway's Service may map it to another port of the workload."""
    protocol: str
    """HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP, MONGO, MYSQL or REDIS."""
    name: str
    """Names the port within the gateway."""
    target_port: UInt32 = 0
    """Deprecated, and without effect."""


class Server(Message):
    """One thing a gateway listens for."""

    port: Port
    """Where it listens."""
    bind: str = ""
    """The IP address or unix domain socket (`unix:///path`, `unix://@abstract`) to bind; by default every address."""
    hosts: tuple[str, ...]
    """Names served, as `[namespace/]dnsName`: namespaces whose VirtualServices may bind (`*`, `.` or a name)."""
    tls: ServerTLSSettings | None = None
    """How it speaks TLS; needed for HTTPS and TLS."""
    default_endpoint: str = ""
    """Where traffic goes by default. Without effect."""
    name: str = ""
    """Names the server among the mesh's servers, for statistics."""


class Gateway(Message):
    """The servers of the gateway workloads that the selector picks."""

    servers: tuple[Server, ...] = ()
    """At least one is needed."""
    selector: dict[str, str] = {}
    """Labels of the gateway workloads; empty selects every workload in sight."""
