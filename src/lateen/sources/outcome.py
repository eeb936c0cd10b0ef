"""What becomes of an object that a source has: taken or rejected, of ours or not."""

from __future__ import annotations

from typing import Any

import msgspec

from lateen.api.kind import Kind
from lateen.api.parse import parse
from lateen.api.schema.fault import Fault, Severity, error
from lateen.sources.source import Change

_REVISION_LABEL = "istio.io/rev"


class Outcome(msgspec.Struct, frozen=True, gc=False):
    value: Any = None
    """None: rejected, or not there."""
    rejected: tuple[Fault, ...] = ()
    """All faults of a version that was rejected."""
    warnings: tuple[Fault, ...] = ()
    """Of one that was taken."""
    generation: int = 0
    """`metadata.generation` of a version that was rejected."""


GONE = Outcome()


def outcome_of(kind: Kind, change: Change, revision: str) -> Outcome:
    """Objects of the mesh's kinds that are labelled for a revision other than ours are none of our business."""
    if change.raw is None or (kind.is_mesh and _revision(change.raw) not in ("", revision)):
        return GONE
    if change.refused:
        return Outcome(rejected=(error("", change.refused),), generation=_generation(change.raw))
    parsed = parse(change.raw, change.key.cluster)
    if parsed.value is None:
        return Outcome(rejected=parsed.faults, generation=_generation(change.raw))
    if not parsed.faults:
        return Outcome(parsed.value)
    return Outcome(parsed.value, warnings=tuple(f for f in parsed.faults if f.severity is Severity.WARNING))


def _generation(raw: Any) -> int:
    metadata = raw.get("metadata")
    found = metadata.get("generation") if isinstance(metadata, dict) else None
    return found if isinstance(found, int) else 0


def _revision(raw: Any) -> str:
    metadata = raw.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    label = labels.get(_REVISION_LABEL) if isinstance(labels, dict) else None
    return label if isinstance(label, str) else ""
