from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import VerificationError

from lateen.identity.facts import WorkloadFacts
from lateen.identity.plugged import load
from lateen.identity.self_signed import RootTerms, self_signed
from lateen.identity.signing import (
    LARGEST_REQUEST,
    AuthorityExpired,
    BadSigningRequest,
    Issued,
    Validity,
    public_key_of,
    sign,
)
from lateen.model.identity import PeerIdentity
from lateen.testing.authorities import ec_key, of_no_version, rsa_key, signing_pair, signing_request, verified_names

NOW = datetime.now(UTC)
WEB = PeerIdentity("shop", "web", "cluster.local")
ROOT = self_signed(NOW)


def issue(authority=ROOT, *, key=None, identity=WEB, facts=None, **more) -> Issued:
    public = (key or ec_key()).public_key()
    return sign(authority, public, identity, facts or WorkloadFacts(), now=NOW, **more)


def parsed(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate.encode())


def intermediate(key=None, **root):
    top = signing_pair("root", **root)
    middle = signing_pair("middle", top)
    lower = signing_pair("lower", middle, key=key)
    files = {"ca-cert.pem": lower.pem, "ca-key.pem": lower.key_pem, "cert-chain.pem": middle.pem}
    found = load(files | {"root-cert.pem": top.pem}, NOW).authority
    assert found is not None
    return found


@pytest.mark.parametrize("key", [ec_key(), ec.generate_private_key(ec.SECP384R1()), rsa_key()])
@pytest.mark.parametrize(
    "authority",
    [ROOT, intermediate(), intermediate(rsa_key()), intermediate(ec.generate_private_key(ec.SECP384R1()))],
    ids=["self-signed", "EC", "RSA", "P-384"],
)
def test_what_is_issued_is_verified_by_others(authority, key) -> None:
    issued = issue(authority, key=key)
    uris, path = verified_names((issued.certificate, *issued.path), issued.roots)
    assert uris == ["spiffe://cluster.local/ns/shop/sa/web"]
    assert len(path) == 2 + len(authority.path)
    assert parsed(issued).public_key() == key.public_key()


def test_it_is_not_verified_by_another_root() -> None:
    issued = issue()
    with pytest.raises(VerificationError):
        verified_names((issued.certificate,), self_signed(NOW).roots_pem)


def test_for_both_sides_and_nothing_else() -> None:
    extensions = parsed(issue()).extensions
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign is False


def test_of_the_request_only_the_key_counts() -> None:
    key = ec_key()
    forged = signing_request(key, uris=("spiffe://cluster.local/ns/bank/sa/admin",), common_name="admin")
    issued = sign(ROOT, public_key_of(forged.encode()), WEB, WorkloadFacts(workload="web"), now=NOW)
    found = parsed(issued)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier("spiffe://cluster.local/ns/shop/sa/web")]
    assert found.subject.rfc4514_string() == "CN=web"


def test_without_facts_the_name_is_critical() -> None:
    names = parsed(issue()).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert (
        not parsed(issue(facts=WorkloadFacts(workload="web")))
        .extensions.get_extension_for_class(x509.SubjectAlternativeName)
        .critical
    )


# --- validity -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (timedelta(), timedelta(hours=24)),
        (timedelta(seconds=-5), timedelta(hours=24)),
        (timedelta(seconds=30), timedelta(seconds=30)),
        (timedelta(days=90), timedelta(days=90)),
    ],
)
def test_what_is_asked_for_within_bounds_is_given(asked: timedelta, given: timedelta) -> None:
    issued = issue(asked=asked)
    assert issued.not_after == NOW.replace(microsecond=0) + given
    assert parsed(issued).not_valid_after_utc == issued.not_after


def test_too_long_is_refused_and_not_cut() -> None:
    with pytest.raises(BadSigningRequest, match="at most 2 days"):
        issue(asked=timedelta(days=2, seconds=1), validity=Validity(longest=timedelta(days=2)))


def test_clocks_may_be_behind() -> None:
    begin = parsed(issue(intermediate())).not_valid_before_utc
    assert begin == NOW.replace(microsecond=0) - timedelta(minutes=2)


def test_a_leaf_outlives_no_authority_of_its_path() -> None:
    authority = intermediate(end=NOW + timedelta(hours=3))
    assert issue(authority).not_after == authority.anchor.not_valid_after_utc


def test_an_expired_authority_signs_nothing() -> None:
    old = self_signed(NOW - timedelta(days=2), RootTerms(lifetime=timedelta(days=1)))
    with pytest.raises(AuthorityExpired):
        issue(old)


def test_serial_numbers_are_new_positive_and_within_20_bytes() -> None:
    serials = {parsed(issue()).serial_number for _ in range(50)}
    assert len(serials) == 50
    assert all(0 < serial < 2**159 for serial in serials)


# --- requests -----------------------------------------------------------------------------------------------------


def test_a_request_with_a_changed_key_is_not_signed_by_it() -> None:
    der = bytearray(x509.load_pem_x509_csr(signing_request(ec_key()).encode()).public_bytes(Encoding.DER))
    other = ec_key().public_key().public_numbers()
    point = b"\x04" + other.x.to_bytes(32, "big") + other.y.to_bytes(32, "big")
    place = der.index(b"\x03\x42\x00\x04") + 3
    der[place : place + 65] = point
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
    with pytest.raises(BadSigningRequest, match="not signed with the key"):
        public_key_of(forged)


@pytest.mark.parametrize(
    ("key", "said"),
    [(rsa_key(1024), "1024"), (ec.generate_private_key(ec.SECP256K1()), "secp256k1")],
)
def test_keys_that_envoy_would_not_take(key, said: str) -> None:
    with pytest.raises(BadSigningRequest, match=said):
        public_key_of(signing_request(key).encode())


def test_no_edwards_curves() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, None)
    with pytest.raises(BadSigningRequest, match="RSA or EC"):
        public_key_of(request.public_bytes(Encoding.PEM))


NO_VERSION = of_no_version(signing_request(ec_key()).encode())


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\x00", signing_pair("x").pem, NO_VERSION])
def test_what_is_no_request(content: bytes) -> None:
    with pytest.raises(BadSigningRequest, match="expected a certificate signing request"):
        public_key_of(content)


def test_sizes_are_bounded() -> None:
    with pytest.raises(BadSigningRequest, match="bytes"):
        public_key_of(b"a" * (LARGEST_REQUEST + 1))


def test_an_issuer_is_named_by_the_identifier_it_goes_by() -> None:
    key = ec_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "odd")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=100))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(b"not a hash"), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    pair = signing_pair("unused")._replace(certificate=certificate, key=key)
    authority = load({"ca-cert.pem": pem, "ca-key.pem": pair.key_pem}, NOW).authority
    assert authority is not None
    identifier = parsed(issue(authority)).extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert identifier.key_identifier == b"not a hash"
