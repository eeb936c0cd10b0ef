"""Approves what nodes ask for themselves: client certificates of kubelets.

Source: kubernetes pkg/controller/certificates/approver/sarapprove.go.
"""

from __future__ import annotations

from lateen.cluster.apiserver.auth.certificate_request import (
    KUBE_APISERVER_CLIENT_KUBELET,
    InvalidRequestError,
    Names,
    is_kubelet_client,
    names_in,
    parse_request,
)
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.auth.review import texts
from lateen.cluster.apiserver.request import RequestInfo, User
from lateen.cluster.objects import Obj


def approval_message(csr: Obj, authorizer: Authorizer) -> str | None:
    """Why a pending request is approved without a human; None when it is not."""
    spec = csr.get("spec") or {}
    if spec.get("signerName") != KUBE_APISERVER_CLIENT_KUBELET:
        return None
    try:
        names = names_in(parse_request(csr))
    except InvalidRequestError:
        return None
    if not is_kubelet_client(names, frozenset(texts(spec, "usages"))):
        return None
    requester = User(str(spec.get("username")), groups=tuple(texts(spec, "groups")))
    if _is_own(names, requester) and _may(authorizer, requester, "selfnodeclient"):
        return "Auto approving self kubelet client certificate after SubjectAccessReview."
    if _may(authorizer, requester, "nodeclient"):
        return "Auto approving kubelet client certificate after SubjectAccessReview."
    return None


def _is_own(names: Names, requester: User) -> bool:
    return requester.name == names.common_name


def _may(authorizer: Authorizer, requester: User, kind: str) -> bool:
    group = "certificates.k8s.io"
    info = RequestInfo("", "create", group, "v1", "certificatesigningrequests", subresource=kind)
    return authorizer.authorize(requester, info).allowed
