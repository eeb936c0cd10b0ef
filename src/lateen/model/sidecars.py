"""Which Sidecar resource is a workload's."""

from __future__ import annotations

from lateen.api.networking.sidecar import Sidecar
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.inputs import SIDECARS
from lateen.model.mesh import root_namespace
from lateen.model.proxy import Labels


@query
def sidecar_selectors(db: Reader, namespace: str) -> tuple[tuple[Key, Labels], ...]:
    """The Sidecars of a namespace with the labels they select, in order of precedence: those with a selector first, of
    equals the oldest first."""
    found = tuple(
        each for key in SIDECARS.where(db, "namespace", namespace) if (each := SIDECARS.get(db, key)) is not None
    )
    selectors = (
        (each, tuple(sorted(each.spec.workload_selector.labels.items())) if each.spec.workload_selector else ())
        for each in sorted(found, key=lambda each: each.age)
    )
    return tuple(sorted(((each.key, labels) for each, labels in selectors), key=lambda pair: not pair[1]))


def sidecar_of(db: Reader, namespace: str, labels: Labels) -> Key | None:
    """The Sidecar of a workload: one of its namespace that selects it, else the namespace's own without a selector,
    else the root namespace's."""
    carried = set(labels)
    for key, selected in sidecar_selectors(db, namespace):
        if carried.issuperset(selected):
            return key
    root = root_namespace(db)
    if namespace == root:
        return None
    return next((key for key, selected in sidecar_selectors(db, root) if not selected), None)


def _selected(sidecar: Sidecar) -> Labels:
    selector = sidecar.workload_selector
    return tuple(sorted(selector.labels.items())) if selector is not None else ()
