"""A certificate authority for tests, and the files in which proxies find what it issues."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lateen.identity.facts import WorkloadFacts, subject
from lateen.identity.serving import load_pair
from lateen.model.proxy import Certificates

_BEGIN = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_END = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)
_PEM = serialization.Encoding.PEM
_TEST = WorkloadFacts(workload="test")


class Pair(NamedTuple):
    """A certificate and its private key, as PEM."""

    certificate: str
    key: str


def server_tls(pair: Pair) -> ssl.SSLContext:
    """What a server of TLS needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(context, pair.certificate, pair.key)
    return context


def client_tls(roots: str, pair: Pair | None = None, alpn: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
    """What a client of TLS needs: the roots it trusts (PEM), its own certificate, and what it speaks."""
    context = ssl.create_default_context(cadata=roots)
    context.set_alpn_protocols(list(alpn))
    if pair is not None:
        load_pair(context, pair.certificate, pair.key)
    return context


def tls_secret(name: str, pair: Pair, roots: str = "", namespace: str = "istio-system") -> dict[str, Any]:
    """A Secret as gateways take them, with `roots` (PEM) for their clients' certificates."""
    data = {"tls.crt": pair.certificate, "tls.key": pair.key} | ({"ca.crt": roots} if roots else {})
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "kubernetes.io/tls",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


class Authority:
    """Issues certificates. All of them, its own included, are valid for a century unless asked otherwise."""

    def __init__(self, name: str = "test root") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._certificate = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.root = self._certificate.sign(self._key, hashes.SHA256()).public_bytes(_PEM).decode()
        """Its own certificate, as PEM."""

    def issue(self, *names: str, facts: WorkloadFacts = _TEST, end: datetime.datetime = _END) -> Pair:
        """A certificate for SPIFFE IDs (`spiffe://...`), IP addresses and host names, valid until `end`; `facts` are
        its Subject."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(subject(facts), key, end).add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return Pair(builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM).decode(), private.decode())

    def revocations(self) -> str:
        """An empty list of revoked certificates, as PEM."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        signed = builder.last_update(_BEGIN).next_update(_END).sign(self._key, hashes.SHA256())
        return signed.public_bytes(_PEM).decode()

    def workload(self, directory: Path, identity: str, facts: WorkloadFacts = _TEST) -> Certificates:
        """The files (SDS) that a proxy with this SPIFFE ID watches for its certificate and its roots."""
        pair = self.issue(identity, facts=facts)
        chain, key, root = _inline(pair.certificate), _inline(pair.key), _inline(self.root)
        files = {
            "default": {"tls_certificate": {"certificate_chain": chain, "private_key": key}},
            "ROOTCA": {"validation_context": {"trusted_ca": root}},
        }
        directory.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, secret in files.items():
            type_ = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
            path = directory / f"{name.lower()}.json"
            path.write_text(json.dumps({"resources": [{"@type": type_, "name": name, **secret}]}))
            paths.append(str(path))
        return Certificates(*paths)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, end: datetime.datetime = _END
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_BEGIN)
            .not_valid_after(end)
        )


def _general_name(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _inline(text: str) -> dict[str, str]:
    """As the agent writes them."""
    return {"inline_bytes": base64.b64encode(text.encode()).decode()}
