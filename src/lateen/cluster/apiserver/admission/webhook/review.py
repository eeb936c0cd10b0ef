"""AdmissionReview: what a webhook is asked, and what its answer means.

Source: kubernetes apiserver/pkg/admission/plugin/webhook (request/admissionreview.go, errors/statuserror.go).
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from dataclasses import dataclass
from typing import Any

from lateen.cluster.apiserver.admission.attributes import Attributes
from lateen.cluster.apiserver.auth.review import user_info
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.objects import GVK, GVR, Obj, gvk_of
from lateen.cluster.status import StatusError

_MAX_WARNING = 4096


class InvalidResponseError(Exception):
    """An answer that is no proper AdmissionReview."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A webhook's answer. `patch` is a list of JSON patch operations, empty without a change."""

    allowed: bool
    status: Obj
    patch: list[Any]
    warnings: tuple[str, ...]


def admission_request(attributes: Attributes, seen_as: Kind, obj: Obj | None, old: Obj | None) -> Obj:
    """The request as a webhook sees it that is registered for the version of `seen_as`."""
    info, resource = attributes.ctx.info, attributes.kind.resource
    gvk = _object_gvk(attributes, attributes.kind)
    options = attributes.options or _default_options(attributes)
    request: Obj = {
        "uid": str(uuid.uuid4()),
        "kind": _gvk_json(_object_gvk(attributes, seen_as)),
        "resource": _gvr_json(seen_as.resource.gvr),
        "requestKind": _gvk_json(gvk),
        "requestResource": _gvr_json(resource.gvr),
        "operation": attributes.operation,
        "userInfo": user_info(attributes.user),
        "object": obj,
        "oldObject": old,
        "dryRun": attributes.ctx.dry_run,
        "options": options,
    }
    if attributes.name:
        request["name"] = attributes.name
    if info.namespace:
        request["namespace"] = info.namespace
    if info.subresource:
        request["subResource"] = request["requestSubResource"] = info.subresource
    return request


def read_response(answer: Any, version: str, uid: str, mutating: bool) -> Verdict:
    """Raises InvalidResponseError."""
    if not isinstance(answer, dict):
        raise InvalidResponseError("webhook response was no JSON object")
    strict = version == "v1"
    wanted = GVK("admission.k8s.io", version, "AdmissionReview")
    if strict and gvk_of(answer) != wanted:
        raise InvalidResponseError(f"expected webhook response of {_show(wanted)}, got {_show(gvk_of(answer))}")
    response = answer.get("response")
    if not isinstance(response, dict):
        raise InvalidResponseError("webhook response was absent")
    if strict and response.get("uid") != uid:
        raise InvalidResponseError(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    patch, patch_type = response.get("patch"), response.get("patchType")
    if mutating:
        operations = _patch(patch, patch_type, strict)
    elif strict and patch:
        raise InvalidResponseError("validating webhook may not return response.patch")
    elif strict and patch_type:
        raise InvalidResponseError("validating webhook may not return response.patchType")
    else:
        operations = []
    status = response.get("status")
    warnings = response.get("warnings")
    return Verdict(
        response.get("allowed") is True,
        status if isinstance(status, dict) else {},
        operations,
        tuple(str(w)[:_MAX_WARNING] for w in warnings) if isinstance(warnings, list) else (),
    )


def _patch(patch: Any, patch_type: Any, strict: bool) -> list[Any]:
    if not patch:
        if strict and patch_type is not None:
            raise InvalidResponseError("webhook returned response.patchType but not response.patch")
        return []
    if strict and patch_type is None:
        raise InvalidResponseError("webhook returned response.patch but not response.patchType")
    if patch_type not in (None, "JSONPatch"):
        raise InvalidResponseError(f'webhook returned invalid response.patchType of "{patch_type}"')
    try:
        operations = json.loads(base64.b64decode(patch, validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidResponseError(f"webhook returned a response.patch that cannot be read: {error}") from None
    if not isinstance(operations, list):
        raise InvalidResponseError("webhook returned a response.patch that is no list of operations")
    return operations


def denial(webhook: str, status: Obj) -> StatusError:
    """The error for a request that a webhook denied, with what the webhook said in its status."""
    code = status.get("code")
    told = StatusError.from_json(status, 400)
    denied = f'admission webhook "{webhook}" denied the request'
    explanation = status.get("message") or status.get("reason")
    return StatusError(
        code if isinstance(code, int) and 400 <= code < 600 else 400,
        told.reason,
        f"{denied}: {explanation}" if explanation else f"{denied} without explanation",
        group=told.group,
        kind=told.kind,
        name=told.name,
        causes=told.causes,
        retry_after=told.retry_after,
    )


def _object_gvk(attributes: Attributes, kind: Kind) -> GVK:
    """The kind of what is sent: the resource's, or that of a subresource's own body (`Scale`, `PodExecOptions`)."""
    found = kind.resource.subresource(attributes.subresource) if attributes.subresource else None
    return found.kind if found is not None else kind.resource.gvk


def _default_options(attributes: Attributes) -> Obj | None:
    kind = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}.get(attributes.operation)
    if kind is None:
        return None
    options: Obj = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if attributes.ctx.field_manager and kind != "DeleteOptions":
        options["fieldManager"] = attributes.ctx.field_manager
    if attributes.ctx.dry_run:
        options["dryRun"] = ["All"]
    return options


def _gvk_json(gvk: GVK) -> Obj:
    return {"group": gvk.group, "version": gvk.version, "kind": gvk.kind}


def _gvr_json(gvr: GVR) -> Obj:
    return {"group": gvr.group, "version": gvr.version, "resource": gvr.plural}


def _show(gvk: GVK) -> str:
    return f"{gvk.api_version}, Kind={gvk.kind}"
