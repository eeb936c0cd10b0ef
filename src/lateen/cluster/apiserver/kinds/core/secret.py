"""Secrets."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.core.config_map import MAX_BYTES, validate_frozen
from lateen.cluster.apiserver.kinds.fields import fill, mapping, section, text
from lateen.cluster.apiserver.kinds.immutability import unchanged
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, annotations_of, name_of
from lateen.cluster.status import Cause, invalid_value, required, too_long

_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_JSON_TYPES = ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson")
_SERVICE_ACCOUNT = "kubernetes.io/service-account.name"


class Secret(BuiltinKind):
    def default(self, obj: Obj) -> None:
        fill(obj, type="Opaque")
        plain = obj.pop("stringData", None)
        if isinstance(plain, dict) and plain:
            data = section(obj, "data")
            for key, value in plain.items():
                data[key] = base64.b64encode(str(value).encode()).decode()

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        found = []
        size = 0
        data, kind = mapping(obj, "data"), text(obj, "type")
        for key, value in data.items():
            found += [invalid_value(f"data[{key}]", key, e) for e in names.config_key(key)]
            size += len(str(value)) * 3 // 4
        if size > MAX_BYTES:
            found.append(too_long("data", MAX_BYTES))
        if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
            found += [required("data[username]"), required("data[password]")]
        for key in _REQUIRED_KEYS.get(kind, ()):
            if key not in data:
                found.append(required(f"data[{key}]"))
            elif kind in _JSON_TYPES and not _is_json(data[key]):
                found.append(invalid_value(f"data[{key}]", "<secret contents redacted>", "invalid JSON"))
        if kind == "kubernetes.io/service-account-token" and not annotations_of(obj).get(_SERVICE_ACCOUNT):
            found.append(required(f"metadata.annotations[{_SERVICE_ACCOUNT}]"))
        return found

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return [
            *unchanged(obj, old, "type"),
            *self.validate_create(obj, ctx),
            *validate_frozen(obj, old, "data"),
        ]

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        return {"type": text(obj, "type")}

    def columns(self) -> Sequence[Column]:
        return (Column("Name", format="name"), Column("Type"), Column("Data"), Column("Age"))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [name_of(obj), text(obj, "type"), len(mapping(obj, "data")), age_of(obj, now)]


def _is_json(encoded: Any) -> bool:
    try:
        json.loads(base64.b64decode(str(encoded), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return True
