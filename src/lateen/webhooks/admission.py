"""AdmissionReview (admission.k8s.io/v1, and v1beta1 of old API servers): what an API server asks, and the answer."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

API_VERSION: Final = "admission.k8s.io/v1"
_VERSIONS: Final = (API_VERSION, "admission.k8s.io/v1beta1")
_LONGEST_NAME: Final = 253
LONGEST_WARNING: Final = 256
"""Characters of one; the API server cuts all of them at 4096 together."""
MOST_WARNINGS: Final = 15


class BadReview(ValueError):
    """A body that is no AdmissionReview; says why."""


class AdmissionRequest(msgspec.Struct, frozen=True, rename="camel"):
    """What is to be judged. Fields of no use here are not read."""

    uid: str
    operation: str
    """CREATE, UPDATE, DELETE or CONNECT."""
    namespace: str = ""
    name: str = ""
    """Empty where the server has yet to make one."""
    object: Any = None
    """As decoded JSON; None when it is deleted."""
    dry_run: bool = False
    api_version: str = API_VERSION
    """Of the review; the answer has the same."""


class _Review(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    request: AdmissionRequest


_DECODER: Final = msgspec.json.Decoder(_Review)


def read_review(body: bytes) -> AdmissionRequest:
    """Raises BadReview."""
    try:
        review = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReview(f"the body is no AdmissionReview: {error}") from None
    if review.api_version not in _VERSIONS or review.kind != "AdmissionReview":
        raise BadReview(f"expected an AdmissionReview of {API_VERSION}, got {review.kind} of {review.api_version}")
    asked = review.request
    if any(len(text) > _LONGEST_NAME for text in (asked.uid, asked.operation, asked.namespace, asked.name)):
        raise BadReview(f"a name of the request has more than {_LONGEST_NAME} characters")
    return msgspec.structs.replace(review.request, api_version=review.api_version)


def allowed(
    request: AdmissionRequest,
    *,
    patch: list[Any] | None = None,
    warnings: Iterable[str] = (),
    audit: Mapping[str, str] | None = None,
) -> bytes:
    """The answer that lets it in, changed by a JSON patch (RFC 6902) if there is one. `audit` goes into the API
    server's audit log."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": True, **_audited(audit)}
    if patch:
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(msgspec.json.encode(patch)).decode()}
    return _answer(request, response, warnings)


def denied(
    request: AdmissionRequest,
    message: str,
    *,
    causes: Iterable[tuple[str, str]] = (),
    warnings: Iterable[str] = (),
    audit: Mapping[str, str] | None = None,
) -> bytes:
    """The answer that keeps it out. `causes` are fields and what is wrong with them."""
    listed = [{"reason": "FieldValueInvalid", "field": field, "message": said} for field, said in causes]
    status: dict[str, Any] = {"status": "Failure", "code": 422, "reason": "Invalid", "message": message}
    if listed:
        status["details"] = {"causes": listed}
    return _answer(request, {"uid": request.uid, "allowed": False, "status": status, **_audited(audit)}, warnings)


def _audited(audit: Mapping[str, str] | None) -> dict[str, Any]:
    return {"auditAnnotations": dict(audit)} if audit else {}


def _answer(request: AdmissionRequest, response: dict[str, Any], warnings: Iterable[str]) -> bytes:
    said = [text if len(text) <= LONGEST_WARNING else f"{text[: LONGEST_WARNING - 3]}..." for text in warnings]
    if len(said) > MOST_WARNINGS:
        said = [*said[: MOST_WARNINGS - 1], f"and {len(said) - MOST_WARNINGS + 1} more"]
    if said:
        response["warnings"] = said
    return msgspec.json.encode({"apiVersion": request.api_version, "kind": "AdmissionReview", "response": response})
