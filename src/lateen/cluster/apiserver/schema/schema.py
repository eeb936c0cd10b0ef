"""The structural schema node, shared by built-in kinds (from Kubernetes' API types) and CRDs (from OpenAPI v3).

Source: `apiextensions.k8s.io/v1 JSONSchemaProps` with the `x-kubernetes-*` extensions. Nodes may be recursive
(JSONSchemaProps itself is), so they are mutable while being built and must be treated as frozen afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""Tells 'no default' from 'the default is null'."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One `x-kubernetes-validations` entry."""

    rule: str
    message: str = ""
    message_expression: str = ""
    reason: str = "FieldValueInvalid"
    field_path: str = ""
    optional_old_self: bool | None = None


@dataclass(slots=True, eq=False)
class Schema:
    """One node. An empty `type` with neither properties nor items means any value."""

    type: str = ""
    """`object`, `array`, `string`, `integer`, `number`, `boolean`, or empty."""
    format: str = ""
    description: str = ""
    title: str = ""
    properties: dict[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    items: Schema | None = None
    additional: Schema | None = None
    """Schema of a map's values (`additionalProperties`)."""
    nullable: bool = False
    preserve_unknown: bool = False
    int_or_string: bool = False
    embedded_resource: bool = False
    default: Any = MISSING
    value_validations: dict[str, Any] = field(default_factory=dict)
    """JSON-schema keywords that constrain values: enum, pattern, minimum, maxLength, allOf, anyOf, oneOf, not, ..."""
    rules: tuple[Rule, ...] = ()
    list_type: str = ""
    """`atomic`, `set`, `map`, or empty (atomic)."""
    list_map_keys: tuple[str, ...] = ()
    map_type: str = ""
    """`granular`, `atomic`, or empty (granular)."""
    patch_strategy: tuple[str, ...] = ()
    """Strategic merge patch: `merge`, `replace`, `retainKeys`."""
    patch_merge_key: str = ""
    definition: str = ""
    """OpenAPI definition name where this node is one, such as `io.k8s.api.core.v1.PodSpec`."""
    group_version_kind: tuple[str, str, str] | None = None

    @property
    def is_map(self) -> bool:
        return self.type == "object" and not self.properties and self.additional is not None
