"""Checks of an object that a client sent, before anything is made of it: kind, identity, unknown fields, types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.schema.decoding import decode_errors
from lateen.cluster.apiserver.schema.pruning import prune
from lateen.cluster.objects import Obj
from lateen.cluster.status import StatusError, bad_request, invalid, invalid_value


def check_kind(kind: Kind, obj: Obj) -> None:
    """Sets the object's apiVersion and kind where it has none. Raises StatusError 400 for another's."""
    gvk = kind.resource.gvk
    found_version, found_kind = obj.get("apiVersion") or gvk.api_version, obj.get("kind") or gvk.kind
    if kind.custom and not (obj.get("apiVersion") and obj.get("kind")):
        missing = "Kind" if not obj.get("kind") else "apiVersion"
        raise bad_request(f"Object '{missing}' is missing in the request body")
    if found_version != gvk.api_version:
        raise bad_request(
            f"the API version in the data ({found_version}) does not match the expected API version ({gvk.api_version})"
        )
    if found_kind != gvk.kind:
        raise bad_request(f'{found_kind} in version "{gvk.version}" cannot be handled as a {gvk.kind}')
    obj["apiVersion"], obj["kind"] = gvk.api_version, gvk.kind
    meta = obj.setdefault("metadata", {})
    if meta is None:
        obj["metadata"] = {}
    elif not isinstance(meta, dict):
        raise _undecodable(kind, "json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta")


def check_identity(kind: Kind, obj: Obj, namespace: str, name: str) -> None:
    """Completes the object's namespace and name from the URL. Raises StatusError 400 where they differ."""
    meta = obj["metadata"]
    if kind.resource.namespaced:
        if (meta.get("namespace") or namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        meta["namespace"] = namespace
    elif meta.get("namespace"):
        raise bad_request("namespace must not be set on cluster-scoped objects")
    if name and (meta.get("name") or name) != name:
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    if name:
        meta["name"] = name


def decode(kind: Kind, obj: Obj, ctx: Context, duplicates: Sequence[str] = ()) -> None:
    """Drops what the schema does not know, in place, warning of it or (Strict) refusing it, and checks types.

    `duplicates` are fields that the body had twice. Raises StatusError 400.
    """
    if fault := _fault(kind, obj, ctx, duplicates):
        raise _undecodable(kind, fault)


def decode_patched(kind: Kind, obj: Obj, ctx: Context, duplicates: Sequence[str] = ()) -> None:
    """As `decode`, for what a patch has made of an object; its faults are the patch's. Raises StatusError 422."""
    shown = msgspec.json.encode(obj).decode()
    if fault := _fault(kind, obj, ctx, duplicates):
        raise invalid("", "", "", [invalid_value("patch", shown, fault)])


def _fault(kind: Kind, obj: Obj, ctx: Context, duplicates: Sequence[str]) -> str:
    """What is wrong with the object; empty when nothing is."""
    dropped = prune(obj, kind.schema)
    if not kind.custom:
        _drop_nulls(obj)
        faults = decode_errors(obj, kind.schema)
        if faults:
            return faults[0]
    if ctx.field_validation == "Ignore":
        return ""
    messages = [f'duplicate field "{path}"' for path in duplicates]
    messages += [f'unknown field "{path}"' for path in dropped]
    if messages and ctx.field_validation == "Strict":
        return f"strict decoding error: {', '.join(messages)}"
    for message in messages:
        ctx.warn(message)
    return ""


def _drop_nulls(value: Any) -> None:
    """To Go, a null is a field that was not given."""
    if isinstance(value, dict):
        for name in [name for name, child in value.items() if child is None]:
            del value[name]
        value = value.values()
    for child in value:
        if isinstance(child, (dict, list)):
            _drop_nulls(child)


def _undecodable(kind: Kind, fault: str) -> StatusError:
    gvk = kind.resource.gvk
    return bad_request(f'{gvk.kind} in version "{gvk.version}" cannot be handled as a {gvk.kind}: {fault}')
