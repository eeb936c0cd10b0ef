"""What a CertificateSigningRequest asks for, and whether its signer would give that.

Source: kubernetes pkg/apis/certificates (helpers.go) and pkg/controller/certificates/signer.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from lateen.cluster.objects import Obj

KUBE_APISERVER_CLIENT = "kubernetes.io/kube-apiserver-client"
KUBE_APISERVER_CLIENT_KUBELET = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY_UNKNOWN = "kubernetes.io/legacy-unknown"

_NODE_PREFIX = "system:node:"


class InvalidRequestError(ValueError):
    """A request that cannot be read, or asks for what its signer does not give."""


class Names(NamedTuple):
    """The subject and alternative names of a request, by kind."""

    common_name: str
    organizations: list[str]
    dns: list[str]
    addresses: list[str]
    emails: list[str]
    uris: list[str]


def parse_request(csr: Obj) -> x509.CertificateSigningRequest:
    """The PKCS #10 request within a CertificateSigningRequest. Raises InvalidRequestError."""
    try:
        pem = b64decode((csr.get("spec") or {}).get("request") or "", validate=True)
        request = x509.load_pem_x509_csr(pem)
        valid = request.is_signature_valid
    except (Base64Error, ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.InvalidVersion) as error:
        raise InvalidRequestError(f"unable to parse request: {error}") from None
    if not valid:
        raise InvalidRequestError("unable to parse request: bad signature")
    return request


def names_in(request: x509.CertificateSigningRequest) -> Names:
    def subject(oid: x509.ObjectIdentifier) -> list[str]:
        return [str(attribute.value) for attribute in request.subject.get_attributes_for_oid(oid)]

    common = subject(NameOID.COMMON_NAME)
    try:
        found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found = x509.SubjectAlternativeName([])
    except ValueError as error:
        raise InvalidRequestError(f"unable to parse request: {error}") from None
    return Names(
        common[0] if common else "",
        subject(NameOID.ORGANIZATION_NAME),
        found.get_values_for_type(x509.DNSName),
        [str(address) for address in found.get_values_for_type(x509.IPAddress)],
        found.get_values_for_type(x509.RFC822Name),
        found.get_values_for_type(x509.UniformResourceIdentifier),
    )


def check_signable(signer: str, names: Names, usages: frozenset[str]) -> None:
    """Raises InvalidRequestError when one of Kubernetes' own signers refuses to sign this."""
    check = _CHECKS.get(signer)
    if check is not None:
        check(names, usages)


def is_kubelet_client(names: Names, usages: frozenset[str]) -> bool:
    try:
        _check_kubelet_client(names, usages)
    except InvalidRequestError:
        return False
    return True


def _check_api_client(names: Names, usages: frozenset[str]) -> None:
    _require_usages(usages, {"client auth"}, {"client auth", "digital signature", "key encipherment"})


def _check_kubelet_client(names: Names, usages: frozenset[str]) -> None:
    _require_node_identity(names)
    for kind, values in (("DNS", names.dns), ("IP", names.addresses), ("email", names.emails), ("URI", names.uris)):
        if values:
            raise InvalidRequestError(f"{kind} subjectAltNames are not allowed")
    _require_usages(
        usages, {"client auth", "digital signature"}, {"client auth", "digital signature", "key encipherment"}
    )


def _check_kubelet_serving(names: Names, usages: frozenset[str]) -> None:
    _require_node_identity(names)
    if not names.dns and not names.addresses:
        raise InvalidRequestError("DNS or IP subjectAltName is required")
    for kind, values in (("email", names.emails), ("URI", names.uris)):
        if values:
            raise InvalidRequestError(f"{kind} subjectAltNames are not allowed")
    _require_usages(
        usages, {"server auth", "digital signature"}, {"server auth", "digital signature", "key encipherment"}
    )


def _require_node_identity(names: Names) -> None:
    if names.organizations != ["system:nodes"]:
        raise InvalidRequestError("subject organization is not system:nodes")
    if not names.common_name.startswith(_NODE_PREFIX) or names.common_name == _NODE_PREFIX:
        raise InvalidRequestError("subject common name does not begin with system:node:")


def _require_usages(usages: frozenset[str], required: set[str], allowed: set[str]) -> None:
    if not required <= usages or not usages <= allowed:
        raise InvalidRequestError("usages did not match those of the signer")


_CHECKS: Mapping[str, Callable[[Names, frozenset[str]], None]] = {
    KUBE_APISERVER_CLIENT: _check_api_client,
    KUBE_APISERVER_CLIENT_KUBELET: _check_kubelet_client,
    KUBELET_SERVING: _check_kubelet_serving,
}
