"""Makes what is missing of a cluster's certificates, keys and kubeconfigs, and renews what is about to expire."""

from __future__ import annotations

import datetime as dt
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lateen.cluster.layout import Layout
from lateen.cluster.pki.authority import Address, Authority, Subject
from lateen.cluster.pki.kubeconfig import kubeconfig
from lateen.cluster.pki.paths import PairPath, PkiPaths
from lateen.cluster.pki.private_file import write_private

LIFETIME = dt.timedelta(days=365)
RENEWAL = dt.timedelta(days=60)
"""Certificates with less than this left are made anew."""

LOOPBACK: tuple[Address, ...] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


def create_pki(layout: Layout, nodes: int, now: dt.datetime | None = None) -> None:
    """Ensures the files of `PkiPaths` for nodes 1..`nodes`. Idempotent: what is there and good stays as it is.

    The authority and the ServiceAccount key are never replaced, since that would void what they have signed.
    """
    now = now or dt.datetime.now(dt.UTC)
    paths = PkiPaths(layout)
    authority = _ensure_authority(layout, paths, now)
    _ensure_service_account_keys(paths)
    _ensure_pair(paths.apiserver, _apiserver(layout), authority, now)
    _ensure_pair(
        paths.apiserver_kubelet_client, _client("kube-apiserver-kubelet-client", "system:masters"), authority, now
    )
    users = {
        "admin": (_client("kubernetes-admin", "system:masters"), layout.api_url),
        "controllers": (_client("system:kube-controller-manager"), layout.api_url),
        "fabric": (_client("system:cloud-controller-manager"), layout.api_url),
    }
    for number in range(1, nodes + 1):
        node = layout.node(number)
        identity = f"system:node:{node.name}"
        users[node.name] = (_client(identity, "system:nodes"), layout.fabric_api_url)
        serving = Subject(
            identity,
            ("system:nodes",),
            dns_names=(node.name, "localhost"),
            addresses=(node.ipv4, node.ipv6, *LOOPBACK),
            server=True,
        )
        _ensure_pair(paths.kubelet_serving(number), serving, authority, now)
    for name, (subject, server) in users.items():
        pair = paths.client(name)
        _ensure_pair(pair, subject, authority, now)
        content = kubeconfig(
            f"lateen-{layout.name}",
            server,
            authority.certificate.public_bytes(serialization.Encoding.PEM),
            pair.certificate.read_bytes(),
            pair.key.read_bytes(),
        )
        path = paths.kubeconfig(name)
        if not path.exists() or path.read_bytes() != content:
            write_private(path, content)


def load_authority(pair: PairPath) -> Authority:
    """Reads a CA. Raises OSError or ValueError when its files are missing or unusable."""
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{pair.key}: not an elliptic curve key")
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    if certificate.public_key() != key.public_key():
        raise ValueError(f"{pair.key} does not belong to {pair.certificate}")
    return Authority(certificate, key)


def _client(common_name: str, *organizations: str) -> Subject:
    return Subject(common_name, organizations, client=True)


def _apiserver(layout: Layout) -> Subject:
    service = "kubernetes.default"
    return Subject(
        "kube-apiserver",
        dns_names=("localhost", "kubernetes", service, f"{service}.svc", f"{service}.svc.{layout.domain}"),
        addresses=(
            *LOOPBACK,
            layout.api_service_ipv4,
            layout.services_ipv6[1],
            layout.host_ipv4,
            layout.host_ipv6,
        ),
        server=True,
    )


def _ensure_authority(layout: Layout, paths: PkiPaths, now: dt.datetime) -> Authority:
    if paths.ca.certificate.exists():
        return load_authority(paths.ca)
    authority = Authority.create(f"lateen-{layout.name}", now)
    # The key goes first: a certificate on disk means that the pair is complete.
    write_private(paths.ca.key, _private_pem(authority.key))
    write_private(paths.ca.certificate, authority.certificate.public_bytes(serialization.Encoding.PEM))
    return authority


def _ensure_service_account_keys(paths: PkiPaths) -> None:
    if paths.service_account_key.exists():
        key = serialization.load_pem_private_key(paths.service_account_key.read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"{paths.service_account_key}: not an RSA key")
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        write_private(paths.service_account_key, _private_pem(key))
    if not paths.service_account_public_key.exists():
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        write_private(paths.service_account_public_key, public)


def _ensure_pair(pair: PairPath, subject: Subject, authority: Authority, now: dt.datetime) -> None:
    if _is_good(pair, subject, authority, now):
        return
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.issue(subject, key.public_key(), LIFETIME, now)
    # Should we die between the two writes, the mismatch is found and mended by the next call.
    write_private(pair.key, _private_pem(key))
    write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _is_good(pair: PairPath, subject: Subject, authority: Authority, now: dt.datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    except (OSError, ValueError):
        return False
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = list(extension.value)
    except x509.ExtensionNotFound:
        names = []
    return (
        certificate.public_key() == key.public_key()
        and certificate.not_valid_after_utc - now > RENEWAL
        and certificate.subject == subject.name
        and names == subject.alternative_names
        and authority.has_issued(certificate)
    )


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
