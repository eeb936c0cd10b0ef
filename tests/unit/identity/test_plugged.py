from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from lateen.api.schema.fault import Severity
from lateen.identity.plugged import load
from lateen.testing.authorities import ec_key, key_pem, of_no_version, rsa_key, signing_pair

NOW = datetime.now(UTC)
ROOT = signing_pair("root")
MIDDLE = signing_pair("middle", ROOT)
LOWER = signing_pair("lower", MIDDLE)


def files(pair=LOWER, chain=MIDDLE.pem, root=ROOT.pem, **more: bytes) -> dict[str, bytes]:
    found = {"ca-cert.pem": pair.pem, "ca-key.pem": pair.key_pem, "cert-chain.pem": chain, "root-cert.pem": root}
    return found | more


def errors(given: dict[str, bytes]) -> list[tuple[str, str]]:
    loaded = load(given, NOW)
    assert (loaded.authority is None) == any(fault.severity is Severity.ERROR for fault in loaded.faults)
    return [(fault.path, fault.message) for fault in loaded.faults if fault.severity is Severity.ERROR]


@pytest.mark.parametrize("key", [ec_key(), ec.generate_private_key(ec.SECP384R1()), rsa_key()])
def test_a_root_with_a_key_of_any_usual_kind(key) -> None:
    root = signing_pair("r", key=key)
    loaded = load(files(root, b"", root.pem), NOW)
    assert loaded.faults == ()
    assert loaded.authority is not None
    assert loaded.authority.path == ()
    assert loaded.authority.anchor == root.certificate


def test_the_path_goes_up_to_below_the_root() -> None:
    authority = load(files(), NOW).authority
    assert authority is not None
    assert authority.path == (LOWER.certificate, MIDDLE.certificate)
    assert authority.roots == (ROOT.certificate,)


@pytest.mark.parametrize(
    "chain",
    [
        MIDDLE.pem + ROOT.pem,
        LOWER.pem + MIDDLE.pem + ROOT.pem,
        ROOT.pem + MIDDLE.pem + MIDDLE.pem,
        signing_pair("stranger").pem + MIDDLE.pem,
    ],
)
def test_what_the_chain_holds_besides_does_not_matter(chain: bytes) -> None:
    authority = load(files(chain=chain), NOW).authority
    assert authority is not None
    assert authority.path == (LOWER.certificate, MIDDLE.certificate)


def test_the_names_of_kubernetes_tls_secrets() -> None:
    authority = load({"tls.crt": LOWER.pem + MIDDLE.pem, "tls.key": LOWER.key_pem, "ca.crt": ROOT.pem}, NOW).authority
    assert authority is not None
    assert authority.path == (LOWER.certificate, MIDDLE.certificate)


def test_a_self_signed_authority_needs_no_root_beside_it() -> None:
    """As Istio's istio-ca-secret is."""
    authority = load({"ca-cert.pem": ROOT.pem, "ca-key.pem": ROOT.key_pem, "root-cert.pem": b""}, NOW).authority
    assert authority is not None
    assert authority.roots == (ROOT.certificate,)


def test_several_roots_are_all_trusted_and_the_one_that_signs_is_the_last() -> None:
    other = signing_pair("other mesh")
    authority = load(files(root=ROOT.pem + other.pem + ROOT.pem), NOW).authority
    assert authority is not None
    assert authority.roots == (other.certificate, ROOT.certificate)
    assert authority.anchor == ROOT.certificate


def test_nothing_outlives_what_is_above_it() -> None:
    root = signing_pair("brief", end=NOW + timedelta(days=60))
    authority = load(files(signing_pair("below", root), b"", root.pem), NOW).authority
    assert authority is not None
    assert authority.not_after == root.certificate.not_valid_after_utc


# --- faults -------------------------------------------------------------------------------------------------------


def test_every_missing_file_is_named() -> None:
    assert errors({}) == [
        ("data[ca-cert.pem]", "is missing"),
        ("data[ca-key.pem]", "is missing"),
        ("data[root-cert.pem]", "is missing"),
    ]


@pytest.mark.parametrize("name", ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"])
def test_what_is_no_pem_is_located(name: str) -> None:
    assert [path for path, _ in errors(files(**{name: b"\xffnonsense"}))] == [f"data[{name}]"]


@pytest.mark.parametrize("name", ["ca-cert.pem", "cert-chain.pem", "root-cert.pem"])
def test_a_certificate_of_a_version_that_there_is_not(name: str) -> None:
    assert [path for path, _ in errors(files(**{name: of_no_version(ROOT.pem)}))] == [f"data[{name}]"]


def test_an_authority_that_says_something_twice() -> None:
    root = signing_pair("r")
    der = root.certificate.public_bytes(Encoding.DER).replace(b"\x55\x1d\x0e", b"\x55\x1d\x23")
    twice = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    found = errors(files(root, b"", twice) | {"ca-cert.pem": twice})
    assert any("has extensions that cannot be read" in message for _, message in found)


def test_a_key_of_another_certificate() -> None:
    given = files(**{"ca-key.pem": MIDDLE.key_pem})
    assert errors(given) == [("data[ca-key.pem]", "is not the key of the certificate in ca-cert.pem")]


def test_a_chain_with_a_gap() -> None:
    message = "no chain leads from this certificate to one of root-cert.pem"
    assert errors(files(chain=b"")) == [("data[ca-cert.pem]", message)]


def test_a_namesake_of_the_root_is_not_the_root() -> None:
    [(path, _)] = errors(files(root=signing_pair("root").pem))
    assert path == "data[ca-cert.pem]"


@pytest.mark.parametrize(
    ("expired", "place"), [("root", "root-cert.pem"), ("middle", "cert-chain.pem"), ("lower", "ca-cert.pem")]
)
def test_expired_at_any_place(expired: str, place: str) -> None:
    end = {expired: NOW - timedelta(hours=1)}
    root = signing_pair("root", end=end.get("root"))
    middle = signing_pair("middle", root, end=end.get("middle"))
    lower = signing_pair("lower", middle, end=end.get("lower"))
    [(path, message)] = errors(files(lower, middle.pem, root.pem))
    assert path == f"data[{place}]"
    assert f"CN={expired}: expired at" in message


def test_not_valid_yet() -> None:
    root = signing_pair("root", begin=NOW + timedelta(hours=1))
    [(path, message)] = errors(files(root, b"", root.pem))
    assert path == "data[ca-cert.pem]"
    assert "not valid before" in message


def test_a_leaf_is_no_authority() -> None:
    leaf = signing_pair("leaf", ROOT, ca=False)
    [(path, message)] = errors(files(leaf, b""))
    assert path == "data[ca-cert.pem]"
    assert "is not a certificate authority" in message


def test_a_path_longer_than_an_authority_allows() -> None:
    root = signing_pair("root", path_length=0)
    [(path, message)] = errors(files(signing_pair("below", root), b"", root.pem))
    assert path == "data[root-cert.pem]"
    assert "allows 0 authorities below itself, and has 1" in message


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (
            LOWER.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
            "encrypted",
        ),
        (key_pem(rsa_key(1024)), "2048"),
        (key_pem(ec.generate_private_key(ec.SECP256K1())), "secp256k1"),
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "RSA or EC",
        ),
    ],
)
def test_keys_that_cannot_sign_for_a_mesh(key: bytes, said: str) -> None:
    [(path, message)] = errors(files(**{"ca-key.pem": key}))
    assert path == "data[ca-key.pem]"
    assert said in message


def test_who_is_about_to_expire_is_warned_of_and_taken() -> None:
    root = signing_pair("root", end=NOW + timedelta(days=3))
    loaded = load(files(root, b"", root.pem), NOW)
    assert loaded.authority is not None
    assert [fault.severity for fault in loaded.faults] == [Severity.WARNING]
