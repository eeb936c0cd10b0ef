"""Completion indexes, and their short form `0-2,5`."""

from __future__ import annotations

from collections.abc import Iterable

from lateen.cluster.objects import Obj, annotations_of

INDEX = "batch.kubernetes.io/job-completion-index"
_MAX_TEXT = 1 << 20


def index_of(pod: Obj) -> int | None:
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isdigit() and len(text) < 10 else None


def compress(indexes: Iterable[int]) -> str:
    """`{0, 1, 2, 5}` -> `0-2,5`; two neighbours stay two (`0,1`)."""
    parts: list[str] = []
    run: list[int] = []
    for index in [*sorted(set(indexes)), None]:
        if run and index != run[-1] + 1:
            if len(run) > 2:
                parts.append(f"{run[0]}-{run[-1]}")
            else:
                parts.extend(str(i) for i in run)
            run = []
        if index is not None:
            run.append(index)
    return ",".join(parts)


def expand(text: str, completions: int) -> set[int]:
    """The inverse; whatever is unreadable or not below `completions` is left out."""
    found: set[int] = set()
    for part in text[:_MAX_TEXT].split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            found.update(range(int(first), min(int(last or first), completions - 1) + 1))
    return found
