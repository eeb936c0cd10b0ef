"""Which objects label and field selectors choose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.rest.options import ListOptions
from lateen.cluster.apiserver.store.record import Record
from lateen.cluster.apiserver.store.store import Snapshot
from lateen.cluster.objects import Obj
from lateen.cluster.selectors import FieldRequirement
from lateen.cluster.status import bad_request

_METADATA = ("metadata.name", "metadata.namespace")

Matcher = Callable[[Record, Callable[[], Obj]], bool]
"""Whether a record matches; its second argument decodes the stored object, and is called only when needed."""


def matcher(kind: Kind, options: ListOptions) -> Matcher | None:
    """The selectors as one test; None when everything matches. Raises StatusError 400 for unknown field labels."""
    labels, fields = options.labels, options.fields
    selectable = kind.selectable_fields({})
    for requirement in fields:
        if requirement.path not in _METADATA and requirement.path not in selectable:
            raise bad_request(_unknown_field(requirement.path, only_metadata=not selectable and not kind.custom))
    if labels.empty and not fields:
        return None
    by_key = tuple(f for f in fields if f.path in _METADATA)
    by_value = tuple(f for f in fields if f.path not in _METADATA)

    def matches(record: Record, obj: Callable[[], Obj]) -> bool:
        key = {"metadata.name": record.key.name, "metadata.namespace": record.key.namespace}
        return (
            _all(by_key, key)
            and labels.matches(record.labels)
            and (not by_value or _all(by_value, kind.selectable_fields(kind.from_storage(obj()))))
        )

    return matches


def select(kind: Kind, snapshot: Snapshot, records: Iterable[Record], options: ListOptions) -> list[Record]:
    """The records that the selectors choose, in order."""
    matches = matcher(kind, options)
    if matches is None:
        return list(records)
    return [record for record in records if matches(record, partial(snapshot.obj, record))]


def _all(requirements: tuple[FieldRequirement, ...], values: Mapping[str, str]) -> bool:
    return all((values.get(r.path, "") == r.value) is not r.negated for r in requirements)


def _unknown_field(path: str, *, only_metadata: bool) -> str:
    if only_metadata:
        return f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
    return f"field label not supported: {path}"
