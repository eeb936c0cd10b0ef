"""The fields of Kubernetes' API types on the wire, as `scripts/protobuf_fields.py` wrote them down.

`fields.json` maps a message such as `core/v1.Pod` to rows of `[number, JSON name, type, omit]`. A type is a scalar
(`string`, `int`, `bool`, `double`, `bytes`), one that has a JSON form of its own (`quantity`, `int_or_string`,
`time`, `micro_time`, `raw`), or a message; `[]T` repeats, `{}T` maps strings to T, `list:T` is a message that stands
for a list, `one:T` a message of which JSON shows the field that is set. An empty JSON name: the fields of the message
belong to the one around it. `omit` is 1 where the zero value is left out of JSON.
"""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

import msgspec

_DIRECTORIES = {
    "": "core",
    "admissionregistration.k8s.io": "admissionregistration",
    "apiextensions.k8s.io": "apiextensions",
    "authentication.k8s.io": "authentication",
    "authorization.k8s.io": "authorization",
    "certificates.k8s.io": "certificates",
    "coordination.k8s.io": "coordination",
    "discovery.k8s.io": "discovery",
    "events.k8s.io": "events",
    "networking.k8s.io": "networking",
    "node.k8s.io": "node",
    "rbac.authorization.k8s.io": "rbac",
    "scheduling.k8s.io": "scheduling",
    "storage.k8s.io": "storage",
}


class Field(NamedTuple):
    number: int
    name: str
    type: str
    omit: int


Messages = dict[str, dict[int, Field]]
"""Fields by number, by message."""


def load_messages() -> Messages:
    """Reads the table."""
    text = resources.files(__package__).joinpath("fields.json").read_bytes()
    table = msgspec.json.decode(text, type=dict[str, list[Field]])
    return {message: {field.number: field for field in fields} for message, fields in table.items()}


def message_of(group: str, version: str, kind: str, messages: Messages) -> str | None:
    """The message of a kind; None for kinds that have no protobuf encoding here."""
    for name in (f"{_DIRECTORIES.get(group, group)}/{version}.{kind}", f"meta/v1.{kind}"):
        if name in messages:
            return name
    return None
