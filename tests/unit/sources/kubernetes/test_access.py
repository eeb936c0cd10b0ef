from __future__ import annotations

import base64
import datetime
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lateen.sources.kubernetes.access import Access, AccessError, from_kubeconfig, in_cluster


def kubeconfig(path: Path, *, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
    server = {"server": "https://10.0.0.1:6443", **cluster}
    config = {
        "clusters": [{"name": "c", "cluster": server}, {"name": "other", "cluster": {"server": "http://other"}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u"}},
            {"name": "other", "context": {"cluster": "other"}},
            {"name": "dangling", "context": {"cluster": "gone"}},
        ],
        "current-context": "main",
    }
    file = path / "config"
    file.write_text(yaml.safe_dump(config))
    return file


def pair() -> tuple[bytes, bytes]:
    """A self-signed certificate and its key (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime(2026, 1, 1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_token(tmp_path: Path) -> None:
    access = from_kubeconfig(kubeconfig(tmp_path, user={"token": "secret"}))
    assert access.server == "https://10.0.0.1:6443"
    assert access.headers() == {"Authorization": "Bearer secret"}


def test_another_context(tmp_path: Path) -> None:
    access = from_kubeconfig(kubeconfig(tmp_path), "other")
    assert access.server == "http://other"
    assert access.headers() == {}
    assert access.ssl_context() is None


def test_name_and_password(tmp_path: Path) -> None:
    access = from_kubeconfig(kubeconfig(tmp_path, user={"username": "jane", "password": "pw"}))
    assert access.headers() == {"Authorization": "Basic " + base64.b64encode(b"jane:pw").decode()}


def test_a_token_file_is_read_again_when_the_token_was_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    access = from_kubeconfig(kubeconfig(tmp_path, user={"tokenFile": "token"}))
    assert access.headers() == {"Authorization": "Bearer one"}
    (tmp_path / "token").write_text("two")
    assert access.headers() == {"Authorization": "Bearer one"}
    access.forget_token()
    assert access.headers() == {"Authorization": "Bearer two"}
    (tmp_path / "token").unlink()
    access.forget_token()
    # The last one may still do.
    assert access.headers() == {"Authorization": "Bearer two"}


def test_a_token_file_that_never_was(tmp_path: Path) -> None:
    access = from_kubeconfig(kubeconfig(tmp_path, user={"tokenFile": "absent"}))
    with pytest.raises(AccessError, match="absent"):
        access.headers()


@pytest.mark.parametrize("inline", [True, False])
def test_certificates_inline_and_in_files(tmp_path: Path, inline: bool) -> None:
    certificate, key = pair()
    fields = {"client-certificate": certificate, "client-key": key}
    if inline:
        user = {f"{name}-data": base64.b64encode(data).decode() for name, data in fields.items()}
        ca: dict[str, Any] = {"certificate-authority-data": base64.b64encode(certificate).decode()}
    else:
        for name, data in fields.items():
            (tmp_path / name).write_bytes(data)
        user = {name: name for name in fields}
        ca = {"certificate-authority": "client-certificate"}
    context = from_kubeconfig(kubeconfig(tmp_path, user=user, **ca)).ssl_context()
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509"] == 1


def test_unverified_only_if_asked_for(tmp_path: Path) -> None:
    context = from_kubeconfig(kubeconfig(tmp_path, **{"insecure-skip-tls-verify": True})).ssl_context()
    assert context is not None
    assert context.verify_mode is ssl.CERT_NONE


def test_certificates_that_are_none(tmp_path: Path) -> None:
    data = base64.b64encode(b"words").decode()
    access = from_kubeconfig(kubeconfig(tmp_path, **{"certificate-authority-data": data}))
    with pytest.raises(AccessError, match="certificates for https"):
        access.ssl_context()


@pytest.mark.parametrize(
    ("context", "user", "cluster", "words"),
    [
        ("nowhere", {}, {}, "contexts has no 'nowhere'; it has: main, other, dangling"),
        ("dangling", {}, {}, "clusters has no 'gone'"),
        ("", {"exec": {"command": "aws"}}, {}, "'exec' are not supported"),
        ("", {"auth-provider": {"name": "gcp"}}, {}, "'auth-provider' are not supported"),
        ("", {"client-certificate-data": "!!!"}, {}, "client-certificate-data is not base64"),
        ("", {"client-certificate-data": "YQ=="}, {}, "both client-certificate and client-key"),
        ("", {}, {"server": "10.0.0.1"}, "is not an http"),
        ("", {}, {"proxy-url": "http://proxy"}, "proxy-url is not supported"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, context: str, user: dict[str, Any], cluster: dict[str, Any], words: str
) -> None:
    with pytest.raises(AccessError, match=words):
        from_kubeconfig(kubeconfig(tmp_path, user=user, **cluster), context)


@pytest.mark.parametrize("text", ["[", "words", "{}", "\x00"])
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(AccessError, match="kubeconfig"):
        from_kubeconfig(tmp_path / "config")


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="No such file"):
        from_kubeconfig(tmp_path / "absent")


def test_in_a_pod(tmp_path: Path) -> None:
    certificate, _ = pair()
    (tmp_path / "token").write_text("pod")
    (tmp_path / "ca.crt").write_bytes(certificate)
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    access = in_cluster(environment, tmp_path)
    assert access.server == "https://[fd00::1]:443"
    assert access.headers() == {"Authorization": "Bearer pod"}
    assert access.ssl_context() is not None


def test_outside_of_a_pod(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="not in a Pod"):
        in_cluster({}, tmp_path)
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(AccessError, match="lacks"):
        in_cluster(environment, tmp_path)


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Access("https://x", token="secret"))
