from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lateen.cluster.apiserver.admission.certificates import Certificates
from lateen.cluster.apiserver.auth.bootstrap import bootstrap
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.status import StatusError

RBAC = "rbac.authorization.k8s.io"
SIGNER = "kubernetes.io/kube-apiserver-client"


@pytest.fixture
async def plugin(store: Store) -> Certificates:
    await bootstrap(store)
    return Certificates(Authorizer(store))


@pytest.fixture
def csr(make: Any, kinds: Any) -> Any:
    kind: Kind = kinds["csrs"]

    def build(operation: str, subresource: str = "", old: Any = None, **obj: Any) -> Any:
        body = {"metadata": {"name": "r"}, "spec": {"signerName": SIGNER}, **obj}
        return make(operation, kind, body, old, namespace="", name="r", subresource=subresource)

    return build


async def test_approval_needs_the_right_for_the_signer(plugin: Certificates, store: Store, csr: Any) -> None:
    with pytest.raises(StatusError) as refused:
        await plugin.validate(csr("UPDATE", "approval"))
    assert refused.value.message == (
        'certificatesigningrequests.certificates.k8s.io "r" is forbidden: '
        f'user not permitted to approve requests with signerName "{SIGNER}"'
    )
    role = "system:certificates.k8s.io:kube-apiserver-client-approver"
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "name": "jane"}],
    }
    await store.create((RBAC, "clusterrolebindings"), binding)
    await plugin.validate(csr("UPDATE", "approval"))


async def test_only_signers_write_certificates(plugin: Certificates, csr: Any) -> None:
    await plugin.validate(csr("UPDATE", "status", old={}, status={"conditions": []}))
    with pytest.raises(StatusError, match="not permitted to sign"):
        await plugin.validate(csr("UPDATE", "status", old={}, status={"certificate": "x"}))


async def test_nobody_asks_to_be_a_superuser(plugin: Certificates, csr: Any) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    pem = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    encoded = base64.b64encode(pem.public_bytes(serialization.Encoding.PEM)).decode()
    with pytest.raises(StatusError, match="signer with system:masters group is not allowed"):
        await plugin.validate(csr("CREATE", spec={"signerName": SIGNER, "request": encoded}))
    other = {"signerName": "acme.com/x", "request": encoded}
    await plugin.validate(csr("CREATE", spec=other))
