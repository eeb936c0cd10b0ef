"""Reads OpenAPI v3 schemas as CRDs carry them (`JSONSchemaProps`) into `Schema` nodes."""

from __future__ import annotations

from typing import Any, Final

from lateen.cluster.apiserver.schema.schema import MISSING, Rule, Schema
from lateen.cluster.objects import Obj

VALUE_VALIDATIONS: Final = (
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
)


def parse(props: Obj) -> Schema:
    """Builds the node and everything below it. Unknown keywords are ignored.

    Value validations keep their JSON form (those nested in `allOf` and the like are parsed by who compiles them).
    """
    items, additional = props.get("items"), props.get("additionalProperties")
    return Schema(
        type=props.get("type") or "",
        format=props.get("format") or "",
        description=props.get("description") or "",
        title=props.get("title") or "",
        properties={name: parse(child) for name, child in (props.get("properties") or {}).items()},
        required=tuple(props.get("required") or ()),
        items=parse(items) if isinstance(items, dict) else None,
        additional=_additional(additional),
        nullable=bool(props.get("nullable")),
        preserve_unknown=bool(props.get("x-kubernetes-preserve-unknown-fields")),
        int_or_string=bool(props.get("x-kubernetes-int-or-string")),
        embedded_resource=bool(props.get("x-kubernetes-embedded-resource")),
        default=props.get("default", MISSING),
        value_validations={key: props[key] for key in VALUE_VALIDATIONS if props.get(key) is not None},
        rules=tuple(_rule(rule) for rule in props.get("x-kubernetes-validations") or ()),
        list_type=props.get("x-kubernetes-list-type") or "",
        list_map_keys=tuple(props.get("x-kubernetes-list-map-keys") or ()),
        map_type=props.get("x-kubernetes-map-type") or "",
    )


def _additional(value: Any) -> Schema | None:
    if isinstance(value, dict):
        return parse(value)
    return Schema(preserve_unknown=True) if value is True else None


def _rule(rule: Obj) -> Rule:
    return Rule(
        rule=rule.get("rule") or "",
        message=rule.get("message") or "",
        message_expression=rule.get("messageExpression") or "",
        reason=rule.get("reason") or "FieldValueInvalid",
        field_path=rule.get("fieldPath") or "",
        optional_old_self=rule.get("optionalOldSelf"),
    )
