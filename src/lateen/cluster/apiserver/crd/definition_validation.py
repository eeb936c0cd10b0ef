"""What makes a CustomResourceDefinition right.

Source: k8s.io/apiextensions-apiserver `apis/apiextensions/validation`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.crd.json_path import JsonPath
from lateen.cluster.apiserver.crd.structural import object_schema, structural_faults
from lateen.cluster.apiserver.schema.cel_rules import rule_faults
from lateen.cluster.apiserver.schema.json_schema import parse
from lateen.cluster.apiserver.schema.pruning import unknown_fields
from lateen.cluster.apiserver.schema.schema import MISSING, Schema
from lateen.cluster.apiserver.schema.validation import validate
from lateen.cluster.conditions import is_true
from lateen.cluster.objects import Obj, annotations_of, name_of
from lateen.cluster.status import Cause, forbidden_field, invalid_value, not_supported, required

APPROVAL: Final = "api-approved.kubernetes.io"
_PROTECTED: Final = (".k8s.io", ".kubernetes.io")
_COLUMN_TYPES: Final = ("integer", "number", "string", "boolean", "date")
_COLUMN_FORMATS: Final = ("int32", "int64", "float", "double", "byte", "date", "date-time", "password", "name")
_MOST_SELECTABLE: Final = 8
_LONGEST_WARNING: Final = 256


def is_protected(group: str) -> bool:
    """Groups of the Kubernetes community, which need its approval."""
    return group in ("k8s.io", "kubernetes.io") or group.endswith(_PROTECTED)


def definition_faults(crd: Obj, meta: Schema) -> list[Cause]:
    """All faults of a CRD. `meta` is the schema of ObjectMeta."""
    spec = crd.get("spec") or {}
    group, named = spec.get("group") or "", spec.get("names") or {}
    found: list[Cause] = []
    if name_of(crd) != f"{named.get('plural', '')}.{group}":
        detail = 'must be spec.names.plural+"."+spec.group'
        found.append(invalid_value("metadata.name", name_of(crd), detail))
    if is_protected(group) and not annotations_of(crd).get(APPROVAL):
        detail = (
            f'protected groups must have approval annotation "{APPROVAL}", see'
            " https://github.com/kubernetes/enhancements/pull/1111"
        )
        found.append(required(f"metadata.annotations[{APPROVAL}]", detail))
    found += _group(group)
    scope = spec.get("scope") or ""
    if not scope:
        found.append(required("spec.scope"))
    elif scope not in ("Cluster", "Namespaced"):
        found.append(not_supported("spec.scope", scope, ("Cluster", "Namespaced")))
    if spec.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        found.append(invalid_value("spec.preserveUnknownFields", True, detail))
    versions = spec.get("versions") or []
    found += _version_list(versions)
    found += _names(named, "spec.names", complete=True)
    found += _conversion(spec.get("conversion") or {}, versions)
    for index, version in enumerate(versions):
        found += _version(version, f"spec.versions[{index}]", meta)
    return found


def change_faults(crd: Obj, old: Obj) -> list[Cause]:
    """What an update may not change, and stored versions that no version stands for any more."""
    spec, before = crd.get("spec") or {}, old.get("spec") or {}
    found = []
    immutable = [("group", "spec.group", spec, before)]
    fixed = [("plural", "spec.names.plural")]
    if _established(old):
        immutable.append(("scope", "spec.scope", spec, before))
        fixed.append(("kind", "spec.names.kind"))
    immutable += [(key, path, spec.get("names") or {}, before.get("names") or {}) for key, path in fixed]
    for key, path, now, then in immutable:
        if now.get(key) != then.get(key):
            found.append(invalid_value(path, now.get(key), "field is immutable"))
    return found + stored_version_faults(crd)


def stored_version_faults(crd: Obj) -> list[Cause]:
    present = {version.get("name") for version in (crd.get("spec") or {}).get("versions") or []}
    stored = (crd.get("status") or {}).get("storedVersions") or []
    return [
        invalid_value(f"status.storedVersions[{index}]", name, "must appear in spec.versions")
        for index, name in enumerate(stored)
        if name not in present
    ]


def _established(crd: Obj) -> bool:
    return is_true(crd, "Established")


def _group(group: str) -> Iterator[Cause]:
    if not group:
        yield required("spec.group")
    elif errors := names.dns_subdomain(group):
        yield invalid_value("spec.group", group, ",".join(errors))
    elif "." not in group:
        yield invalid_value("spec.group", group, "should be a domain with at least one dot")


def _version_list(versions: Sequence[Obj]) -> Iterator[Cause]:
    if not versions:
        yield required("spec.versions", "must have at least one version")
        return
    listed = [version.get("name") or "" for version in versions]
    for index, name in enumerate(listed):
        if errors := names.dns_1035_label(name):
            yield invalid_value(f"spec.versions[{index}].name", name, ",".join(errors))
    if len(set(listed)) < len(listed):
        yield invalid_value("spec.versions", listed, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid_value("spec.versions", listed, "must have exactly one version marked as storage version")


def _names(named: Obj, path: str, *, complete: bool) -> Iterator[Cause]:
    for key in ("plural", "singular", "kind", "listKind"):
        value = named.get(key) or ""
        mixed = key in ("kind", "listKind")
        if not value:
            if complete:
                yield required(f"{path}.{key}")
        elif errors := names.dns_1035_label(value.lower() if mixed else value):
            prefix = "may have mixed case, but should otherwise match: " if mixed else ""
            yield invalid_value(f"{path}.{key}", value, prefix + ",".join(errors))
    for key in ("shortNames", "categories"):
        for index, value in enumerate(named.get(key) or ()):
            if errors := names.dns_1035_label(value):
                yield invalid_value(f"{path}.{key}[{index}]", value, ",".join(errors))
    if named.get("kind") and named.get("kind") == named.get("listKind"):
        yield invalid_value(f"{path}.listKind", named["listKind"], "kind and listKind may not be the same")


def _conversion(conversion: Obj, versions: Sequence[Obj]) -> Iterator[Cause]:
    strategy = conversion.get("strategy") or "None"
    if strategy == "Webhook":
        if [version.get("storage") for version in versions if version.get("served")] == [True]:
            # With one version there is nothing to convert.
            return
        # Serving the versions unconverted would corrupt objects; better to say so at once.
        yield forbidden_field(
            "spec.conversion.strategy",
            "conversion webhooks are not supported by this cluster: serve one version, or use strategy None",
        )
    elif strategy != "None":
        yield not_supported("spec.conversion.strategy", strategy, ("None", "Webhook"))
    elif conversion.get("webhook"):
        detail = "should not be set when strategy is not set to Webhook"
        yield forbidden_field("spec.conversion.webhook", detail)


def _version(version: Obj, path: str, meta: Schema) -> Iterator[Cause]:
    if version.get("deprecationWarning") is not None:
        text = version["deprecationWarning"]
        where = f"{path}.deprecationWarning"
        if not version.get("deprecated"):
            yield invalid_value(where, text, "can only be set for deprecated versions")
        if not text:
            yield invalid_value(where, text, "must not be an empty string")
        if len(text) > _LONGEST_WARNING:
            yield invalid_value(where, text, f"must be <= {_LONGEST_WARNING} characters long")
        if any(not char.isprintable() for char in text):
            yield invalid_value(where, text, "must only contain printable UTF-8 characters")
    props = (version.get("schema") or {}).get("openAPIV3Schema")
    where = f"{path}.schema.openAPIV3Schema"
    if props is None:
        yield required(where, "schemas are required")
    else:
        faults = structural_faults(props, where)
        yield from faults
        if not faults:
            yield from _schema(props, where, meta)
    yield from _subresources(version.get("subresources") or {}, f"{path}.subresources")
    yield from _columns(version.get("additionalPrinterColumns") or (), f"{path}.additionalPrinterColumns")
    yield from _selectable(version.get("selectableFields") or (), f"{path}.selectableFields", props or {})


def _schema(props: Obj, path: str, meta: Schema) -> Iterator[Cause]:
    for where, rule, complaint in rule_faults(parse(props), path):
        yield invalid_value(where, rule, complaint)
    complete = object_schema(props, meta)
    yield from _defaults(complete, path, top=True)


def _defaults(schema: Schema, path: str, *, top: bool = False) -> Iterator[Cause]:
    """A default must itself be valid, and must not carry fields that pruning would drop."""
    if schema.default is not MISSING:
        where = f"{path}.default"
        if top:
            yield forbidden_field(where, "must not be set at the root")
        elif schema.default is None and not schema.nullable:
            yield invalid_value(where, "null", "must not be null")
        else:
            yield from (
                Cause(cause.type, cause.message, where if cause.field == "<nil>" else f"{where}.{cause.field}")
                for cause in validate(schema.default, schema)
            )
            if unknown_fields(schema.default, schema):
                yield invalid_value(where, schema.default, "must be consistent with the schema: it has unknown fields")
    for name, child in schema.properties.items():
        if not (name == "metadata" and (top or schema.embedded_resource)):
            yield from _defaults(child, f"{path}.properties[{name}]")
    if schema.items is not None:
        yield from _defaults(schema.items, f"{path}.items")
    if schema.additional is not None:
        yield from _defaults(schema.additional, f"{path}.additionalProperties")


def _subresources(subresources: Obj, path: str) -> Iterator[Cause]:
    scale = subresources.get("scale")
    if scale is None:
        return
    for key, root, needed in (
        ("specReplicasPath", ".spec.", True),
        ("statusReplicasPath", ".status.", True),
        ("labelSelectorPath", (".spec.", ".status."), False),
    ):
        value = scale.get(key) or ""
        where = f"{path}.scale.{key}"
        if not value:
            if needed:
                yield required(where)
            continue
        if fault := _path_fault(value):
            yield invalid_value(where, value, fault)
        elif not value.startswith(root):
            said = " or ".join(root) if isinstance(root, tuple) else root
            yield invalid_value(where, value, f"should be a json path under {said.rstrip('.')}")


def _path_fault(path: str) -> str:
    if not path.startswith("."):
        return "must be a simple json path starting with ."
    if "[" in path:
        return "must be a simple json path without array index"
    try:
        JsonPath(path)
    except ValueError as error:
        return str(error)
    return ""


def _columns(columns: Sequence[Obj], path: str) -> Iterator[Cause]:
    for index, column in enumerate(columns):
        where = f"{path}[{index}]"
        if not column.get("name"):
            yield required(f"{where}.name")
        kind = column.get("type") or ""
        if not kind:
            yield required(f"{where}.type", f"must be one of {','.join(_COLUMN_TYPES)}")
        elif kind not in _COLUMN_TYPES:
            yield invalid_value(f"{where}.type", kind, f"must be one of {','.join(_COLUMN_TYPES)}")
        shape = column.get("format") or ""
        if shape and shape not in _COLUMN_FORMATS:
            yield invalid_value(f"{where}.format", shape, f"must be one of {','.join(_COLUMN_FORMATS)}")
        text = column.get("jsonPath") or ""
        if not text:
            yield required(f"{where}.JSONPath")
        else:
            try:
                JsonPath(text)
            except ValueError as error:
                yield invalid_value(f"{where}.jsonPath", text, f"is an invalid path: {error}")


def _selectable(fields: Sequence[Obj], path: str, props: Obj) -> Iterator[Cause]:
    if len(fields) > _MOST_SELECTABLE:
        yield Cause("FieldValueTooMany", f"Too many: {len(fields)}: must have at most {_MOST_SELECTABLE} items", path)
    seen = set()
    for index, field in enumerate(fields):
        text = field.get("jsonPath") or ""
        where = f"{path}[{index}].jsonPath"
        if not text:
            yield required(where)
            continue
        if fault := _path_fault(text):
            yield invalid_value(where, text, f"is an invalid path: {fault}")
            continue
        if text in seen:
            yield Cause("FieldValueDuplicate", f'Duplicate value: "{text}"', where)
        seen.add(text)
        node: Any = props
        for name in text.strip(".").split("."):
            node = (node.get("properties") or {}).get(name) if isinstance(node, dict) else None
        if text.startswith(".metadata"):
            yield invalid_value(where, text, "must not point to fields in metadata")
        elif not isinstance(node, dict):
            yield invalid_value(where, text, "does not refer to a valid field")
        elif node.get("type") not in ("string", "boolean", "integer"):
            yield invalid_value(where, text, "must point to a field of type string, boolean or integer")
