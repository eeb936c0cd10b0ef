"""The base of all API messages, and the vocabulary of their constraints."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, dataclass_transform

import msgspec
from msgspec import Meta


class Rule(msgspec.Struct, frozen=True):
    """A CEL rule of the CRD (`x-kubernetes-validations`); `self` is the field or message it stands on."""

    expression: str
    message: str


class _KeywordOnly(msgspec.StructMeta):
    """Makes every subclass keyword-only: msgspec inherits all options but this one."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        return super().__new__(mcls, name, bases, namespace, **{"kw_only": True, **options})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Message(
    msgspec.Struct,
    metaclass=_KeywordOnly,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    gc=False,
):
    """A message of the mesh API: a proto message as an immutable value.

    What was decoded cannot refer to itself, so the collector of cycles need not look at it (`gc=False`): of a mesh of
    any size that would be most of its work.

    Fields are named like the proto's, in snake_case; users write camelCase. Absent is the field's default: `None` for
    messages and wrapper types, the zero value for plain scalars, `()` for repeated fields, `{}` for maps. Fields
    without a default are required. A string literal under a field is its documentation.
    """

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of fields (snake_case) of which at most one may be set."""
    rules: ClassVar[tuple[Rule, ...]] = ()
    """CEL rules on the whole message."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Lenient(
    msgspec.Struct, metaclass=_KeywordOnly, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False
):
    """A message of Kubernetes' own API, declared as far as the mesh reads it: unknown fields are let be."""


def rules(*pairs: tuple[str, str]) -> Meta:
    """CEL rules on a field: `Annotated[str, rules(("self != '*'", "must not be a bare wildcard"))]`."""
    return Meta(extra={"rules": tuple(Rule(e, m) for e, m in pairs)})


def map_keys(*names: str) -> Meta:
    """A list whose items are told apart by these fields (camelCase): no two items may agree in all of them."""
    return Meta(extra={"map_keys": names})


def other_name(name: str) -> Meta:
    """A second name of the field that the CRD declares too (all snake_case names are accepted when parsing)."""
    return Meta(extra={"other_name": name})


def text_format(name: str) -> Meta:
    """A string of a form that Kubernetes knows and checks: `date-time`."""
    return Meta(extra={"format": name})


UInt32 = Annotated[int, Meta(ge=0, le=4294967295)]
Int32 = Annotated[int, Meta(ge=-2147483648, le=2147483647)]
UInt64 = Annotated[int, Meta(ge=0, le=18446744073709551615)]
Int64 = Annotated[int, Meta(ge=-9223372036854775808, le=9223372036854775807)]
PortNumber = Annotated[int, Meta(ge=0, le=65535)]

AnyStruct = dict[str, Any]
"""google.protobuf.Struct: any JSON object."""
