"""Who may approve, sign and ask for which certificates.

Source: kubernetes plugin/pkg/admission/certificates.
"""

from __future__ import annotations

from cryptography.x509.oid import NameOID

from lateen.cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.auth.certificate_request import KUBE_APISERVER_CLIENT, InvalidRequestError, parse_request
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.request import RequestInfo

_GROUP = "certificates.k8s.io"
_PLURAL = "certificatesigningrequests"


class Certificates(Plugin):
    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def validate(self, attributes: Attributes) -> None:
        if attributes.group_resource != (_GROUP, _PLURAL) or attributes.obj is None:
            return
        signer = str((attributes.obj.get("spec") or {}).get("signerName"))
        if attributes.operation == CREATE and not attributes.subresource:
            _restrict_subject(attributes, signer)
        elif attributes.operation == UPDATE and attributes.subresource == "approval":
            self._require(attributes, "approve", signer)
        elif attributes.operation == UPDATE and attributes.subresource == "status":
            status, old_status = attributes.obj.get("status") or {}, (attributes.old or {}).get("status") or {}
            if status.get("certificate") != old_status.get("certificate"):
                self._require(attributes, "sign", signer)

    def _require(self, attributes: Attributes, verb: str, signer: str) -> None:
        domain = signer.partition("/")[0]
        for name in (signer, f"{domain}/*"):
            info = RequestInfo("", verb, _GROUP, "v1", "signers", name=name)
            if self._authorizer.authorize(attributes.user, info).allowed:
                return
        raise attributes.refuse(f'user not permitted to {verb} requests with signerName "{signer}"')


def _restrict_subject(attributes: Attributes, signer: str) -> None:
    if signer != KUBE_APISERVER_CLIENT or attributes.obj is None:
        return
    try:
        request = parse_request(attributes.obj)
    except InvalidRequestError:
        # That is for validation to tell.
        return
    for organization in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME):
        if organization.value == "system:masters":
            raise attributes.refuse(f"use of {KUBE_APISERVER_CLIENT} signer with system:masters group is not allowed")
