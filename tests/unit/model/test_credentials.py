"""What Secrets are good for as credentials of gateways."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from lateen.api.kubernetes.secret import Secret
from lateen.api.networking.gateway import Gateway
from lateen.api.objects import Key, Metadata, Object, ObjectRef
from lateen.api.schema.decode import Decoder
from lateen.api.schema.fault import Severity, error
from lateen.engine import Engine
from lateen.model.credentials import Authorities, Credential, Lifetime, authorities, credential, lifetime
from lateen.model.fault import ConfigError
from lateen.model.findings.secret import secret_findings
from lateen.model.inputs import GATEWAYS, HOUR, SECRETS
from lateen.testing.authorities import of_no_version

KEY = Key("edge", "site")
BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site")])


def certificate(private: Any, end: datetime.datetime = END) -> bytes:
    algorithm = None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateBuilder(NAME, NAME, private.public_key(), 1, BEGIN, end)
    return builder.sign(private, algorithm).public_bytes(Encoding.PEM)


def pem(private: Any, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def revocations(private: Any) -> bytes:
    builder = x509.CertificateRevocationListBuilder(NAME, BEGIN, END)
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)


EC = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
CERT, CERT_KEY, CRL = certificate(EC), pem(EC), revocations(EC)


def engine(data: dict[str, bytes], key: Key = KEY, type_: str = "", gateway: dict[str, Any] | None = None) -> Engine:
    made = Engine()
    with made.change() as tx:
        tx.set(SECRETS, key, Secret(metadata=Metadata(name=key.name, namespace=key.namespace), type=type_, data=data))
        if gateway is not None:
            server = {"port": {"number": 443, "name": "tls", "protocol": "HTTPS"}, "hosts": ["*"], "tls": gateway}
            spec, faults = Decoder(Gateway).decode({"selector": {"a": "b"}, "servers": [server]})
            assert spec is not None, faults
            tx.set(GATEWAYS, Key("edge", "gw"), Object(Metadata(name="gw", namespace="edge"), spec, Key("edge", "gw")))
    return made


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"tls.crt": CERT, "tls.key": CERT_KEY}, Credential(CERT, CERT_KEY)),
        ({"cert": CERT, "key": CERT_KEY}, Credential(CERT, CERT_KEY)),
        ({"tls.crt": CERT + certificate(OTHER), "tls.key": CERT_KEY}, None),
        ({"tls.crt": CERT, "tls.key": CERT_KEY, "tls.ocsp-staple": b"x"}, Credential(CERT, CERT_KEY, b"x")),
        ({"cert": CERT, "key": CERT_KEY, "tls.crt": b"x", "tls.key": b"y"}, Credential(CERT, CERT_KEY)),
    ],
)
def test_certificates_and_keys(data: dict[str, bytes], expected: Credential | None) -> None:
    found = engine(data).get(credential, KEY)
    assert found == (expected or Credential(data["tls.crt"], CERT_KEY))


P224 = ec.generate_private_key(ec.SECP224R1())
ED = ed25519.Ed25519PrivateKey.generate()
SHORT = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ({}, "data", "expected cert and key or tls.crt and tls.key, found nothing"),
        ({"a": b"1", "b": b"1", "c": b"1", "d": b"1"}, "data", "found a, b, c and 1 more"),
        ({"tls.crt": CERT, "tls.key": b""}, "data", "found tls.key empty"),
        ({"tls.crt": b"junk", "tls.key": CERT_KEY}, "data[tls.crt]", "expected certificates as PEM"),
        ({"tls.crt": of_no_version(CERT), "tls.key": CERT_KEY}, "data[tls.crt]", "expected certificates as PEM"),
        ({"tls.crt": CERT, "tls.key": b"junk"}, "data[tls.key]", "expected a private key as PEM"),
        ({"tls.crt": CERT, "tls.key": pem(EC, b"secret")}, "data[tls.key]", "is encrypted"),
        ({"cert": CERT, "key": pem(OTHER)}, "data[key]", "is not the key of the first certificate in cert"),
        ({"cert": certificate(OTHER) + CERT, "key": CERT_KEY}, "data[key]", "is not the key of the first"),
        ({"cert": certificate(P224), "key": pem(P224)}, "data[key]", "P-256, P-384 or P-521: secp224r1"),
        ({"cert": certificate(ED), "key": pem(ED)}, "data[key]", "expected an RSA or ECDSA key"),
        ({"cert": certificate(SHORT), "key": pem(SHORT)}, "data[key]", "at least 2048 bits"),
    ],
)
def test_what_is_no_credential(data: dict[str, bytes], path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        engine(data).get(credential, KEY)
    assert (caught.value.resource, caught.value.path) == (ObjectRef("Secret", KEY), path)
    assert message in caught.value.message


def test_a_missing_secret() -> None:
    with pytest.raises(ConfigError, match="there is no such Secret"):
        Engine().get(credential, KEY)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"ca.crt": CERT}, Authorities(CERT)),
        ({"cacert": CERT, "ca.crt": b"junk"}, Authorities(CERT)),
        ({"ca.crt": CERT, "ca.crl": CRL}, Authorities(CERT, CRL)),
        ({"cacert": CERT, "crl": CRL}, Authorities(CERT, CRL)),
    ],
)
def test_authorities(data: dict[str, bytes], expected: Authorities) -> None:
    assert engine(data).get(authorities, KEY) == expected


def test_authorities_have_a_secret_of_their_own_or_share_one() -> None:
    name = Key("edge", "site-cacert")
    assert engine({"ca.crt": CERT}, name).get(authorities, name) == Authorities(CERT)
    assert engine({"ca.crt": CERT}, KEY).get(authorities, name) == Authorities(CERT)


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ({"tls.crt": CERT}, "data", "expected cacert or ca.crt, found tls.crt"),
        ({"ca.crt": b"junk"}, "data[ca.crt]", "expected certificates as PEM"),
        ({"ca.crt": CERT, "ca.crl": b"junk"}, "data[ca.crl]", "expected a certificate revocation list as PEM"),
        ({"ca.crt": CERT, "ca.crl": of_no_version(CRL)}, "data[ca.crl]", "expected a certificate revocation list"),
    ],
)
def test_what_are_no_authorities(data: dict[str, bytes], path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        engine(data).get(authorities, KEY)
    assert caught.value.path == path
    assert message in caught.value.message


def test_a_chain_lives_as_long_as_its_shortest_certificate() -> None:
    soon = datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC)
    chain = CERT + certificate(OTHER, soon)
    assert engine({"cert": chain, "key": CERT_KEY}).get(lifetime, KEY) == Lifetime(BEGIN, soon)


# --- findings -----------------------------------------------------------------------------------------------------

JUNK = {"tls.crt": b"junk", "tls.key": b"junk"}


def test_secrets_that_the_mesh_does_not_use_are_not_judged() -> None:
    assert engine(JUNK).get(secret_findings, KEY) == ()
    assert engine({}, Key("edge", "site-cacert")).get(secret_findings, Key("edge", "site-cacert")) == ()
    assert Engine().get(secret_findings, KEY) == ()


def test_secrets_of_gateways_and_of_the_type_for_tls_are() -> None:
    expected = (error("data[tls.crt]", "expected certificates as PEM"),)
    assert engine(JUNK, type_="kubernetes.io/tls").get(secret_findings, KEY) == expected
    named = {"mode": "SIMPLE", "credentialName": "site"}
    assert engine(JUNK, gateway=named).get(secret_findings, KEY) == expected
    assert engine({"tls.crt": CERT, "tls.key": CERT_KEY}, gateway=named).get(secret_findings, KEY) == ()


def test_secrets_with_authorities_are_judged_as_such() -> None:
    named = {"mode": "MUTUAL", "credentialName": "other", "caCertCredentialName": "site"}
    assert engine({"ca.crt": CERT}, gateway=named).get(secret_findings, KEY) == ()
    [fault] = engine({}, gateway=named).get(secret_findings, KEY)
    assert fault.message.startswith("expected cacert or ca.crt")
    suffixed = Key("edge", "other-cacert")
    [fault] = engine({}, suffixed, gateway=named).get(secret_findings, suffixed)
    assert fault.message.startswith("expected cacert or ca.crt")


@pytest.mark.parametrize(
    ("hour", "severity", "message"),
    [
        (datetime.datetime(2025, 12, 31, 22, tzinfo=datetime.UTC), Severity.ERROR, "not valid before 2026-01-01 00:00"),
        (datetime.datetime(2025, 12, 31, 23, tzinfo=datetime.UTC), Severity.ERROR, "not valid before 2026-01-01 00:00"),
        (datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC), None, ""),
        (datetime.datetime(2026, 12, 30, tzinfo=datetime.UTC), Severity.WARNING, "expires on 2027-01-01 00:00"),
        (datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC), Severity.ERROR, "expired on 2027-01-01 00:00"),
    ],
)
def test_certificates_out_of_time(hour: datetime.datetime, severity: Severity | None, message: str) -> None:
    made = engine({"tls.crt": CERT, "tls.key": CERT_KEY}, type_="kubernetes.io/tls")
    assert made.get(secret_findings, KEY) == ()
    with made.change() as tx:
        tx.put(HOUR, hour)
    found = made.get(secret_findings, KEY)
    assert [fault.severity for fault in found] == ([severity] if severity is not None else [])
    assert all(message in fault.message for fault in found)
    assert made.get(credential, KEY).certificate == CERT
