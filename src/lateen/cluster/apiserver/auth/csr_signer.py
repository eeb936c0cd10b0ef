"""Signs approved CertificateSigningRequests of Kubernetes' own signers with the cluster's CA.

Source: kubernetes pkg/controller/certificates (approver, signer). Requests for other signers are left alone.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from lateen.cluster.apiserver.auth.certificate_request import (
    KUBE_APISERVER_CLIENT,
    KUBE_APISERVER_CLIENT_KUBELET,
    KUBELET_SERVING,
    LEGACY_UNKNOWN,
    InvalidRequestError,
    check_signable,
    names_in,
    parse_request,
)
from lateen.cluster.apiserver.auth.csr_approver import approval_message
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.store.event import GroupResource
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.apiserver.store_follower import follow
from lateen.cluster.objects import Key, Obj, deep_copy, metadata, timestamp
from lateen.cluster.pki.authority import CLOCK_SKEW, Authority, key_usage

RESOURCE: GroupResource = ("certificates.k8s.io", "certificatesigningrequests")
LIFETIME = dt.timedelta(days=365)
"""The longest that a signed certificate holds, and what it gets when it asks for nothing."""

_SIGNERS = frozenset({KUBE_APISERVER_CLIENT, KUBE_APISERVER_CLIENT_KUBELET, KUBELET_SERVING, LEGACY_UNKNOWN})

_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "certificate_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_PURPOSES = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}


class CertificateSigner:
    """Approves what may be approved unasked, and signs what is approved."""

    def __init__(
        self, store: Store, authority: Authority, authorizer: Authorizer, clock: Callable[[], dt.datetime]
    ) -> None:
        self._store = store
        self._authority = authority
        self._authorizer = authorizer
        self._clock = clock

    async def run(self) -> None:
        """Runs until cancelled, or until the store closes."""
        await follow(self._store, [RESOURCE], self.reconcile)

    async def reconcile(self, resource: GroupResource, key: Key) -> None:
        csr = self._store.get(resource, key)
        if csr is None:
            return
        spec, status = csr.get("spec") or {}, csr.get("status") or {}
        if spec.get("signerName") not in _SIGNERS or status.get("certificate"):
            return
        conditions = {c.get("type") for c in status.get("conditions") or ()}
        if "Denied" in conditions or "Failed" in conditions:
            return
        updated: Obj = deep_copy(csr)
        updated.setdefault("status", {})
        if "Approved" in conditions:
            self._sign(updated)
        else:
            message = approval_message(csr, self._authorizer)
            if message is None:
                return
            self._add_condition(updated, "Approved", "AutoApproved", message)
        await self._store.update(resource, updated, metadata(csr).get("resourceVersion"))

    def _sign(self, csr: Obj) -> None:
        try:
            certificate = self.certificate(csr)
        except InvalidRequestError as error:
            self._add_condition(csr, "Failed", "SignerValidationFailed", str(error))
        else:
            pem = certificate.public_bytes(serialization.Encoding.PEM)
            csr["status"]["certificate"] = base64.b64encode(pem).decode()

    def certificate(self, csr: Obj) -> x509.Certificate:
        """The certificate that a request gets. Raises InvalidRequestError."""
        spec = csr.get("spec") or {}
        request = parse_request(csr)
        usages = frozenset(str(usage) for usage in spec.get("usages") or ())
        check_signable(str(spec.get("signerName")), names_in(request), usages)
        unknown = usages - _KEY_USAGES.keys() - _PURPOSES.keys()
        if unknown:
            raise InvalidRequestError(f"unknown usages: {', '.join(sorted(unknown))}")
        asked: Any = spec.get("expirationSeconds")
        lifetime = min(dt.timedelta(seconds=asked), LIFETIME) if isinstance(asked, int) else LIFETIME
        now = self._clock()
        bits = {_KEY_USAGES[usage]: True for usage in usages if usage in _KEY_USAGES}
        try:
            return self._authority.sign(
                request.subject,
                request.public_key(),
                alternative_names=_alternative_names(request),
                # An extension that names no usage at all would forbid every use.
                usage=key_usage(**bits) if bits else None,
                purposes=list(dict.fromkeys(_PURPOSES[usage] for usage in sorted(usages) if usage in _PURPOSES)),
                not_before=now - CLOCK_SKEW,
                not_after=now + lifetime,
            )
        except (ValueError, TypeError) as error:
            raise InvalidRequestError(f"unable to sign: {error}") from None

    def _add_condition(self, csr: Obj, kind: str, reason: str, message: str) -> None:
        now = timestamp(self._clock())
        condition = {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastUpdateTime": now,
            "lastTransitionTime": now,
        }
        csr["status"].setdefault("conditions", []).append(condition)


def _alternative_names(request: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    try:
        return list(request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []
