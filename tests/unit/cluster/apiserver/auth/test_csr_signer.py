from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lateen.cluster.apiserver.auth.bootstrap import bootstrap
from lateen.cluster.apiserver.auth.csr_signer import RESOURCE, CertificateSigner
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key
from lateen.cluster.pki.authority import Authority

CLIENT_USAGES = ["client auth", "digital signature", "key encipherment"]
KEY = Key("", "r")


@pytest.fixture
def authority(clock: Any) -> Authority:
    return Authority.create("test", clock())


@pytest.fixture
async def signer(store: Store, authority: Authority, clock: Any) -> CertificateSigner:
    await bootstrap(store)
    return CertificateSigner(store, authority, Authorizer(store), clock)


def request(common_name: str, organization: str = "", *names: str) -> str:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
    pem = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM
    )
    return base64.b64encode(pem).decode()


async def settle(store: Store, signer: CertificateSigner, spec: dict[str, Any], *conditions: str) -> dict[str, Any]:
    status = {"conditions": [{"type": c, "status": "True"} for c in conditions]} if conditions else {}
    await store.create(RESOURCE, {"metadata": {"name": "r"}, "spec": spec, "status": status})
    for _ in range(2):
        await signer.reconcile(RESOURCE, KEY)
    return (store.get(RESOURCE, KEY) or {}).get("status") or {}


def certificate(status: dict[str, Any]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(status["certificate"]))


async def test_signs_what_is_approved(
    store: Store, signer: CertificateSigner, authority: Authority, clock: Any
) -> None:
    spec = {
        "signerName": "kubernetes.io/kube-apiserver-client",
        "request": request("jane", "dev"),
        "usages": CLIENT_USAGES,
        "expirationSeconds": 3600,
    }
    signed = certificate(await settle(store, signer, spec, "Approved"))
    assert authority.has_issued(signed)
    assert signed.subject.rfc4514_string() == "O=dev,CN=jane"
    assert signed.not_valid_after_utc == clock() + dt.timedelta(hours=1)
    purposes = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]


async def test_no_key_usage_asked_for_is_no_restriction(store: Store, signer: CertificateSigner) -> None:
    spec = {"signerName": "kubernetes.io/kube-apiserver-client", "request": request("j"), "usages": ["client auth"]}
    signed = certificate(await settle(store, signer, spec, "Approved"))
    assert not [e for e in signed.extensions if isinstance(e.value, x509.KeyUsage)]


@pytest.mark.parametrize("conditions", [(), ("Denied",), ("Approved", "Denied"), ("Approved", "Failed")])
async def test_signs_nothing_else(store: Store, signer: CertificateSigner, conditions: tuple[str, ...]) -> None:
    spec = {"signerName": "kubernetes.io/kube-apiserver-client", "request": request("j"), "usages": CLIENT_USAGES}
    assert "certificate" not in await settle(store, signer, spec, *conditions)


async def test_foreign_signers_are_left_alone(store: Store, signer: CertificateSigner) -> None:
    spec = {"signerName": "acme.com/x", "request": request("j"), "usages": CLIENT_USAGES}
    assert "certificate" not in await settle(store, signer, spec, "Approved")


@pytest.mark.parametrize(
    ("signer_name", "pem", "usages"),
    [
        ("kube-apiserver-client", request("j"), ["server auth"]),
        ("kube-apiserver-client", base64.b64encode(b"nonsense").decode(), CLIENT_USAGES),
        ("kubelet-serving", request("system:node:n", "system:nodes"), ["server auth", "digital signature"]),
        ("kubelet-serving", request("n", "system:nodes", "n"), ["server auth", "digital signature"]),
        ("legacy-unknown", request("j"), ["no such usage"]),
    ],
)
async def test_a_request_its_signer_refuses_fails(
    store: Store, signer: CertificateSigner, signer_name: str, pem: str, usages: list[str]
) -> None:
    spec = {"signerName": f"kubernetes.io/{signer_name}", "request": pem, "usages": usages}
    status = await settle(store, signer, spec, "Approved")
    assert "certificate" not in status
    assert status["conditions"][-1]["type"] == "Failed"
    assert status["conditions"][-1]["reason"] == "SignerValidationFailed"


async def test_a_nodes_own_certificate_needs_no_human(store: Store, signer: CertificateSigner) -> None:
    spec = {
        "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
        "request": request("system:node:one", "system:nodes"),
        "usages": ["client auth", "digital signature"],
        "username": "system:node:one",
        "groups": ["system:nodes", "system:authenticated"],
    }
    status = await settle(store, signer, spec)
    assert status["conditions"][0]["reason"] == "AutoApproved"
    assert certificate(status).subject.rfc4514_string() == "O=system:nodes,CN=system:node:one"


async def test_another_nodes_certificate_does(store: Store, signer: CertificateSigner) -> None:
    spec = {
        "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
        "request": request("system:node:two", "system:nodes"),
        "usages": ["client auth", "digital signature"],
        "username": "system:node:one",
        "groups": ["system:nodes"],
    }
    assert await settle(store, signer, spec) == {}
