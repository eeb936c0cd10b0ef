"""`SubjectAccessReview` and its kin: may somebody do something, and what may I do?

Source: kubernetes pkg/registry/authorization and pkg/apis/authorization/validation.
"""

from __future__ import annotations

from aiohttp import web

from lateen.cluster.apiserver.auth.node_authorizer import node_of
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.auth.review import member, spec_of, text, user_from
from lateen.cluster.apiserver.auth.rule import Rule
from lateen.cluster.apiserver.request import RequestInfo, User
from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.objects import Obj, metadata
from lateen.cluster.status import Cause, bad_request, invalid, invalid_value

GROUP = "authorization.k8s.io"


class AccessReviews:
    """Answers access reviews by asking the authorizer."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def create_subject(self, call: Call) -> web.StreamResponse:
        review = await call.read_object()
        return call.respond(self.review(review, "SubjectAccessReview", _subject(review, "SubjectAccessReview")), 201)

    async def create_local(self, call: Call) -> web.StreamResponse:
        """The namespace of the path must be the one asked about."""
        review, kind = await call.read_object(), "LocalSubjectAccessReview"
        namespace = call.ctx.info.namespace
        if text(metadata(review), "namespace") not in ("", namespace):
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        attributes = member(spec_of(review), "resourceAttributes")
        if text(attributes, "namespace") != namespace:
            cause = invalid_value(
                "spec.resourceAttributes.namespace", attributes.get("namespace"), "must match metadata.namespace"
            )
            raise invalid(GROUP, kind, "", [cause])
        answer = self.review(review, kind, _subject(review, kind))
        answer["metadata"]["namespace"] = namespace
        return call.respond(answer, 201)

    async def create_self(self, call: Call) -> web.StreamResponse:
        review = await call.read_object()
        return call.respond(self.review(review, "SelfSubjectAccessReview", call.ctx.user), 201)

    async def create_self_rules(self, call: Call) -> web.StreamResponse:
        return call.respond(self.rules_review(await call.read_object(), call.ctx.user), 201)

    def review(self, review: Obj, kind: str, user: User) -> Obj:
        """The review with its status. Raises StatusError 422 when it does not say what is asked."""
        spec = spec_of(review)
        decision = self._authorizer.authorize(user, _request_info(spec, kind))
        status: Obj = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        return _answer(kind, spec, status)

    def rules_review(self, review: Obj, user: User) -> Obj:
        """Every rule that the user holds in `spec.namespace`."""
        spec = spec_of(review)
        namespace = text(spec, "namespace")
        if not namespace:
            raise bad_request("no namespace on request")
        rules = self._authorizer.rules(user, namespace)
        status: Obj = {
            "resourceRules": [_resource_rule(rule) for rule in rules if rule.resources],
            "nonResourceRules": [
                {"verbs": sorted(rule.verbs), "nonResourceURLs": sorted(rule.urls)} for rule in rules if rule.urls
            ],
            # What a node may read depends on its pods, which no rule can tell.
            "incomplete": node_of(user) is not None,
        }
        return _answer("SelfSubjectRulesReview", spec, status)


def _answer(kind: str, spec: Obj, status: Obj) -> Obj:
    return {
        "kind": kind,
        "apiVersion": f"{GROUP}/v1",
        "metadata": {"creationTimestamp": None},
        "spec": spec,
        "status": status,
    }


def _resource_rule(rule: Rule) -> Obj:
    shown: Obj = {
        "verbs": sorted(rule.verbs),
        "apiGroups": sorted(rule.groups),
        "resources": sorted(rule.resources),
    }
    return {**shown, "resourceNames": sorted(rule.names)} if rule.names else shown


def _subject(review: Obj, kind: str) -> User:
    user = user_from(spec_of(review))
    if not user.name and not user.groups:
        detail = "at least one of user or group must be specified"
        raise invalid(GROUP, kind, "", [invalid_value("spec.user", user.name, detail)])
    return user


def _request_info(spec: Obj, kind: str) -> RequestInfo:
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (other is None):
        field = "spec.resourceAttributes" if resource is None else "spec.nonResourceAttributes"
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        if resource is not None:
            detail = "cannot be specified in combination with resourceAttributes"
        raise invalid(GROUP, kind, "", [Cause("FieldValueInvalid", f"Invalid value: {detail}", field)])
    if resource is None:
        attributes = member(spec, "nonResourceAttributes")
        return RequestInfo(text(attributes, "path"), text(attributes, "verb"))
    attributes = member(spec, "resourceAttributes")
    return RequestInfo(
        "",
        text(attributes, "verb"),
        text(attributes, "group"),
        text(attributes, "version"),
        text(attributes, "resource"),
        text(attributes, "namespace"),
        text(attributes, "name"),
        text(attributes, "subresource"),
    )
