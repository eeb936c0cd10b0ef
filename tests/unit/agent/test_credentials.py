"""What becomes of certificates on their way into the files that Envoy reads. The helper's parts, in this process."""

from __future__ import annotations

import base64
import json
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lateen.agent import credentials
from lateen.agent.certificate_helper import main
from lateen.agent.credentials import BadCredentials
from lateen.agent.settings import CertificateSettings, KeyKind
from lateen.agent.signing_request import make
from lateen.testing.authorities import of_no_version
from lateen.testing.certificates import Authority


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "sds").mkdir()
    (tmp_path / "root-cert.pem").write_text(Authority("mounted").root)
    return CertificateSettings(
        address="127.0.0.1:9", token=str(tmp_path / "token"), roots=str(tmp_path / "root-cert.pem"),
        directory=str(tmp_path / "sds"), answered_roots=str(tmp_path / "answered.pem"),
        mounted=str(tmp_path / "mounted"),
    )  # fmt: skip


def _roots(settings) -> list[str]:
    with open(f"{settings.directory}/rootca.yaml") as file:
        content = json.load(file)["resources"][0]["validation_context"]["trusted_ca"]["inline_bytes"]
    return [each.subject.rfc4514_string() for each in x509.load_pem_x509_certificates(base64.b64decode(content))]


def test_a_certificate_is_put_in_force_with_its_roots(settings, tmp_path):
    authority = Authority("answered")
    pair = authority.issue("spiffe://cluster.local/ns/a/sa/b")
    credentials.take(settings, pair.key, (pair.certificate,), (authority.root,))
    begin, end = credentials.validity(settings)
    assert begin < end
    assert _roots(settings) == ["CN=mounted", "CN=answered"]
    for name in ("default.yaml", "rootca.yaml"):
        assert stat.S_IMODE((tmp_path / "sds" / name).stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "sds").iterdir()) == ["default.yaml", "rootca.yaml"]


def test_the_last_answer_replaces_the_one_before(settings):
    for name in ("first", "second"):
        authority = Authority(name)
        pair = authority.issue("spiffe://x")
        credentials.take(settings, pair.key, (pair.certificate,), (authority.root,))
    assert _roots(settings) == ["CN=mounted", "CN=second"]


def test_roots_of_every_source_once(settings):
    authority = Authority("more")
    settings = settings._replace(extra_roots=authority.root)
    with open(settings.answered_roots, "w") as file:
        file.write(authority.root)
    credentials.write_roots(settings)
    assert _roots(settings) == ["CN=mounted", "CN=more"]


def test_a_bad_answer_changes_nothing(settings):
    authority = Authority()
    good, other = authority.issue("spiffe://x"), authority.issue("spiffe://x")
    credentials.take(settings, good.key, (good.certificate,), (authority.root,))
    before = credentials.presentable(settings, 1e9 * 1.7)
    for key, chain, roots in (
        (good.key, other.certificate, authority.root),
        ("no key", good.certificate, authority.root),
        (good.key, "no certificate", authority.root),
        (good.key, of_no_version(good.certificate.encode()).decode(), authority.root),
        (good.key, good.certificate, "no roots"),
    ):
        with pytest.raises(BadCredentials):
            credentials.take(settings, key, (chain,), (roots,))
    assert credentials.presentable(settings, 1e9 * 1.7) == before
    assert good.certificate.strip() in before


def test_a_certificate_of_a_root_that_is_mounted(settings, tmp_path):
    authority = Authority("mine")
    pair = authority.issue("spiffe://x")
    credentials.take(settings, pair.key, (pair.certificate,), (authority.root,))
    with pytest.raises(BadCredentials, match="it is of CN=mine, which is no root"):
        credentials.check_root(settings)
    (tmp_path / "root-cert.pem").write_text(Authority("other").root + authority.root)
    credentials.check_root(settings)


def test_an_expired_certificate_is_not_shown(settings):
    authority = Authority()
    pair = authority.issue("spiffe://x")
    credentials.take(settings, pair.key, (pair.certificate,), (authority.root,))
    assert credentials.presentable(settings, 5e9) == ""


def test_no_roots_at_all(settings, tmp_path):
    (tmp_path / "root-cert.pem").unlink()
    with pytest.raises(BadCredentials, match="there are no roots"):
        credentials.write_roots(settings)


@pytest.mark.parametrize(
    ("kind", "type_", "size", "begins"),
    [
        (KeyKind("ECDSA", "P256", 0, False), ec.EllipticCurvePrivateKey, 256, "-----BEGIN EC PRIVATE KEY"),
        (KeyKind("ECDSA", "P521", 0, True), ec.EllipticCurvePrivateKey, 521, "-----BEGIN PRIVATE KEY"),
        (KeyKind("RSA", "P256", 2048, False), rsa.RSAPrivateKey, 2048, "-----BEGIN RSA PRIVATE KEY"),
    ],
)
def test_keys(kind, type_, size, begins):
    key, csr = make(kind)
    assert key.startswith(begins)
    read = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(read, type_)
    assert read.key_size == size
    request = x509.load_pem_x509_csr(csr.encode())
    assert request.is_signature_valid
    assert request.public_key() == read.public_key()
    assert not list(request.subject)


def test_what_the_helper_says_when_it_fails(settings, tmp_path):
    assert "the token" in main("request", settings)["error"]
    (tmp_path / "token").write_text("t")
    assert "127.0.0.1:9: " in main("request", settings)["error"]
    (tmp_path / "root-cert.pem").write_text("no roots")
    assert f"the roots {tmp_path}/root-cert.pem" in main("request", settings)["error"]
    assert "cannot be read" in main("current", settings)["error"]
    (tmp_path / "root-cert.pem").unlink()
    assert "No such file" in main("current", settings)["error"]
    assert "No such file" in main("mounted", settings)["error"]
