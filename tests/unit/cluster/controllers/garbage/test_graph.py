from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.controllers.discovery import ServedResource
from lateen.cluster.controllers.garbage.decision import Delete, DropOwners, Fate, decide
from lateen.cluster.controllers.garbage.graph import FOREGROUND, ORPHAN, Graph, Node
from lateen.cluster.objects import GVR, Key

THINGS = ServedResource(GVR("", "v1", "things"), "Thing", True, frozenset())


def node(uid: str, *owners: str, deleting: bool = False, finalizers: tuple[str, ...] = (), block: bool = True) -> Node:
    references = tuple({"uid": o, "blockOwnerDeletion": block} for o in owners)
    return Node(uid, THINGS, Key("ns", uid), references, deleting, finalizers)


def test_an_unseen_owner_is_a_reason_to_look() -> None:
    graph = Graph()
    assert graph.put(node("child", "owner")) == ["child"]
    assert graph.put(node("owner")) == []
    assert graph.put(node("other", "owner")) == []
    assert sorted(graph.remove("owner")) == ["child", "other"]


def test_foreground_deletion_follows_its_dependents() -> None:
    graph = Graph()
    graph.put(node("owner"))
    graph.put(node("child", "owner"))
    assert graph.put(node("owner", deleting=True, finalizers=(FOREGROUND,))) == ["owner"]
    assert graph.put(node("late", "owner")) == ["late"]
    assert graph.remove("child") == ["owner"]
    assert graph.put(node("late")) == ["owner"]
    assert graph.dependents("owner") == []


@pytest.mark.parametrize(
    ("fates", "dependents", "finalizers", "expected"),
    [
        ([Fate.SOLID], 0, (), None),
        ([Fate.SOLID, Fate.ABSENT], 0, (), DropOwners(({"uid": "0"},))),
        ([Fate.ABSENT], 0, (), Delete("Background")),
        ([Fate.ABSENT], 0, (ORPHAN,), Delete("Orphan")),
        ([Fate.WAITING], 0, (), Delete("Background")),
        ([Fate.WAITING], 1, (), Delete("Foreground")),
        ([], 0, (), None),
    ],
)
def test_decisions(fates: list[Fate], dependents: int, finalizers: tuple[str, ...], expected: Any) -> None:
    subject = node("child", finalizers=finalizers)
    owners = [({"uid": str(n)}, fate) for n, fate in enumerate(fates)]
    assert decide(subject, owners, [node("d")] * dependents) == expected
