"""What it costs to write given protobufs down in Python, when every decision has already been taken.

For each message a function is generated that builds it by plain assignments, the fastest way there is to build one
(FACTS of the design: keyword constructors and ParseDict take longer), and serialises it. Running these functions is the
floor that translation is compared with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from google.protobuf import any_pb2

from lateen.translate.envoy_types import decoded, message_class, readable
from lateen.translate.resource import Resource, ResourceType

Builder = Callable[[], bytes]


class _Source:
    """The text of one builder."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self._count = 0

    def variable(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def make(self, message: Any) -> str:
        """Lines that build the message; the name of the variable that holds it."""
        class_name = message.DESCRIPTOR.full_name.replace(".", "_")
        self.names[class_name] = type(message)
        variable = self.variable()
        self.lines.append(f"{variable} = {class_name}()")
        self.fill(message, variable)
        return variable

    def fill(self, message: Any, variable: str) -> None:
        if isinstance(message, any_pb2.Any) and (inner := message_class(message.TypeName())) is not None:
            made = self.make(inner.FromString(message.value))
            self.lines.append(f"{variable}.type_url = {message.type_url!r}")
            self.lines.append(f"{variable}.value = {made}.SerializeToString(deterministic=True)")
            return
        for field, value in message.ListFields():
            where = f"{variable}.{field.name}"
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                self._fill_map(field, value, where)
            elif field.message_type is None:
                found = list(value) if field.is_repeated else value
                self.lines.append(f"{where}.extend({found!r})" if field.is_repeated else f"{where} = {found!r}")
            elif field.is_repeated:
                for item in value:
                    self._fill_at(item, f"{where}.add()")
            else:
                if not value.ListFields():
                    self.lines.append(f"{where}.SetInParent()")
                else:
                    self._fill_at(value, where)

    def _fill_map(self, field: Any, value: Any, where: str) -> None:
        is_message = field.message_type.fields_by_name["value"].message_type is not None
        for key in value:
            if is_message:
                self._fill_at(value[key], f"{where}[{key!r}]")
            else:
                self.lines.append(f"{where}[{key!r}] = {value[key]!r}")

    def _fill_at(self, message: Any, where: str) -> None:
        variable = self.variable()
        self.lines.append(f"{variable} = {where}")
        self.fill(message, variable)


def builder(type_: ResourceType, resource: Resource) -> Builder:
    """A function that builds and serialises the resource's message anew."""
    source = _Source()
    message = decoded(type_, resource)
    made = source.make(message)
    body = "\n    ".join([*source.lines, f"return {made}.SerializeToString(deterministic=True)"])
    exec(compile(f"def build():\n    {body}\n", resource.name, "exec"), source.names)
    build: Builder = source.names["build"]
    # Joined parts may be in another order than a message writes them.
    assert readable(type(message).FromString(build())) == readable(message), resource.name
    return build


def encoding_cost(resources: Iterable[tuple[ResourceType, Resource]], *, sample: int = 10) -> float:
    """CPU seconds to build and serialise them all once, taken from every `sample`th of each type (at least 20)."""
    by_type: dict[ResourceType, list[Resource]] = {}
    for type_, resource in resources:
        by_type.setdefault(type_, []).append(resource)
    total = 0.0
    for type_, listed in by_type.items():
        chosen: Sequence[Resource] = listed[:: sample if len(listed) > 20 * sample else 1]
        builders = [builder(type_, resource) for resource in chosen]
        started = time.process_time()
        for build in builders:
            build()
        total += (time.process_time() - started) * len(listed) / len(chosen)
    return total
