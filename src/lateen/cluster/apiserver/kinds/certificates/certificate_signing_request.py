"""CertificateSigningRequests.

Source: k8s.io/kubernetes `pkg/registry/certificates`, `pkg/apis/certificates/validation`.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from lateen.cluster.apiserver.age import age_of, human_duration
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.fields import fill, mapping, number, objects, section, strings, text
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, deep_copy, name_of
from lateen.cluster.status import Cause, invalid_value, required

_MIN_SECONDS = 600


class CertificateSigningRequest(BuiltinKind):
    def default(self, obj: Obj) -> None:
        fill(section(obj, "spec"), usages=["digital signature", "key encipherment"])

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        """Who asks is what the request was authenticated as, never what it says."""
        super().prepare_create(obj, ctx)
        spec, user = section(obj, "spec"), ctx.user
        for field in ("uid", "groups", "extra"):
            spec.pop(field, None)
        spec["username"] = user.name
        if user.uid:
            spec["uid"] = user.uid
        if user.groups:
            spec["groups"] = list(user.groups)
        if user.extra:
            spec["extra"] = {key: list(values) for key, values in user.extra.items()}
        obj["status"] = {}

    def prepare_update(self, obj: Obj, old: Obj, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        obj["spec"] = deep_copy(mapping(old, "spec"))

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        spec = mapping(obj, "spec")
        found = []
        if not _is_request(text(spec, "request")):
            detail = "PEM block type must be CERTIFICATE REQUEST"
            found.append(invalid_value("spec.request", text(spec, "request")[:200], detail))
        if not strings(spec, "usages"):
            found.append(required("spec.usages", "usages must be provided"))
        signer = text(spec, "signerName")
        if not signer:
            found.append(required("spec.signerName"))
        elif "/" not in signer or "." not in signer.partition("/")[0]:
            detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
            found.append(invalid_value("spec.signerName", signer, detail))
        seconds = spec.get("expirationSeconds")
        if seconds is not None and number(spec, "expirationSeconds") < _MIN_SECONDS:
            detail = "may not specify a duration less than 600 seconds (10 minutes)"
            found.append(invalid_value("spec.expirationSeconds", seconds, detail))
        return found

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        return {"spec.signerName": text(mapping(obj, "spec"), "signerName")}

    def columns(self) -> Sequence[Column]:
        return (
            Column("Name", format="name"),
            Column("Age"),
            Column("SignerName"),
            Column("Requestor"),
            Column("RequestedDuration"),
            Column("Condition"),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        spec = mapping(obj, "spec")
        seconds = spec.get("expirationSeconds")
        return [
            name_of(obj),
            age_of(obj, now),
            text(spec, "signerName") or "<none>",
            text(spec, "username"),
            human_duration(seconds) if seconds is not None else "<none>",
            _format_state(mapping(obj, "status")),
        ]


def _format_state(status: Obj) -> str:
    kinds = {text(condition, "type") for condition in objects(status, "conditions")}
    shown = "Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"
    return shown + (",Failed" if "Failed" in kinds else "") + (",Issued" if status.get("certificate") else "")


def _is_request(encoded: str) -> bool:
    try:
        return b"-----BEGIN CERTIFICATE REQUEST-----" in base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
