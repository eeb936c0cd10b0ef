"""`TokenReview` (whose token is this?) and `SelfSubjectReview` (who am I?).

Source: kubernetes pkg/registry/authentication.
"""

from __future__ import annotations

from aiohttp import web

from lateen.cluster.apiserver.auth.authenticator import API_AUDIENCES, with_authenticated
from lateen.cluster.apiserver.auth.review import spec_of, text, texts, user_info
from lateen.cluster.apiserver.auth.token_keys import InvalidTokenError
from lateen.cluster.apiserver.auth.token_verifier import TokenVerifier
from lateen.cluster.apiserver.request import User
from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.objects import Obj, timestamp
from lateen.cluster.status import bad_request


class TokenReviews:
    """Answers TokenReviews."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def create(self, call: Call) -> web.StreamResponse:
        return call.respond(self.answer(await call.read_object()), 201)

    def answer(self, review: Obj) -> Obj:
        """The review with its status: an unusable token is an answer, not an error."""
        spec = spec_of(review)
        token = text(spec, "token")
        if not token:
            raise bad_request("token is required for TokenReview in authentication")
        audiences = texts(spec, "audiences") or list(API_AUDIENCES)
        try:
            verified = self._verifier.verify(token, audiences)
        except InvalidTokenError as error:
            status: Obj = {"user": {}, "error": f"[invalid bearer token, {error}]"}
        else:
            status = {
                "authenticated": True,
                "user": user_info(with_authenticated(verified.user)),
                "audiences": list(verified.audiences),
            }
        return {
            "kind": "TokenReview",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "spec": spec,
            "status": status,
        }


async def create_self_subject_review(call: Call) -> web.StreamResponse:
    return call.respond(self_subject_review(call.ctx.user), 201)


def self_subject_review(user: User) -> Obj:
    return {
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": timestamp()},
        "status": {"userInfo": user_info(user)},
    }
