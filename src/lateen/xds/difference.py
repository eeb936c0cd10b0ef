"""What one collection gives to a session that had an earlier generation, or another collection, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from lateen.translate.resource import Resource
from lateen.xds.collection import Collection, Past
from lateen.xds.subscription import Subscription

if TYPE_CHECKING:
    from lateen.xds.parcel import Parcel

NO_NAMES: frozenset[str] = frozenset()


class Step(NamedTuple):
    """From what to what: sessions that take the same step share the difference, and its bytes."""

    source: tuple[int, int] | None
    """(collection, generation) that it had; None: nothing."""
    target: tuple[int, int] | None
    """None: the view is gone."""
    before: Subscription | None
    after: Subscription
    forced: frozenset[str]
    """Names to give even if they have not changed."""


class Difference:
    """What to tell: resources (sorted by name), and those that are gone, with what they were."""

    __slots__ = ("names", "parcels", "removed", "resources")

    def __init__(self, resources: tuple[Resource, ...], removed: Mapping[str, Resource]) -> None:
        self.resources = resources
        self.removed = removed
        self.names = frozenset(resource.name for resource in resources)
        self.parcels: dict[bool, Parcel] = {}
        """The difference as bytes, once made; by whether it tells of removals."""


NOTHING = Difference((), {})


def difference(
    source: Collection | None, target: Collection | None, step: Step, past: Callable[[], Past]
) -> Difference:
    """Restricted to what is subscribed now; `past` gives what may differ between source and target."""
    after = step.after
    if source is None:
        if target is None:
            return NOTHING
        names: Iterable[str] = target.resources if after.wildcard else after.names
        return Difference(_present(target, names), {})
    before = step.before
    assert before is not None
    now = target.resources if target is not None else {}
    changed = set()
    removed = {}
    for name, old in past().items():
        if not (after.matches(name) and before.matches(name)):
            continue
        new = now.get(name)
        if new is None:
            if old is not None:
                removed[name] = old
        elif old is None or old.version != new.version:
            changed.add(name)
    if after is not before and not before.wildcard:
        changed.update(set(now) - before.names if after.wildcard else after.names - before.names)
    changed.update(name for name in step.forced if after.matches(name))
    found = _present(target, changed) if target is not None else ()
    return Difference(found, dict(sorted(removed.items())))


def _present(collection: Collection, names: Iterable[str]) -> tuple[Resource, ...]:
    resources = collection.resources
    return tuple(resources[name] for name in sorted(names) if name in resources)
