"""Who owns whom, over all resources."""

from __future__ import annotations

from dataclasses import dataclass

from lateen.cluster.controllers.discovery import ServedResource
from lateen.cluster.objects import Key, Obj, key_of, metadata, owner_references, uid_of

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Node:
    """One object."""

    uid: str
    resource: ServedResource
    key: Key
    owners: tuple[Obj, ...]
    deleting: bool
    finalizers: tuple[str, ...]

    @property
    def deletes_dependents(self) -> bool:
        """Being deleted in the foreground: it waits for its dependents."""
        return self.deleting and FOREGROUND in self.finalizers

    @property
    def orphans_dependents(self) -> bool:
        return self.deleting and ORPHAN in self.finalizers

    def blocks(self, owner_uid: str) -> bool:
        """Whether the owner's foreground deletion has to wait for this object."""
        return any(o.get("uid") == owner_uid and o.get("blockOwnerDeletion") for o in self.owners)


def node_of(resource: ServedResource, obj: Obj) -> Node:
    meta = metadata(obj)
    return Node(
        uid_of(obj),
        resource,
        key_of(obj),
        tuple(owner_references(obj)),
        bool(meta.get("deletionTimestamp")),
        tuple(meta.get("finalizers") or ()),
    )


class Graph:
    """Objects by UID and by the UIDs of their owners."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._dependents: dict[str, set[str]] = {}

    def get(self, uid: str) -> Node | None:
        return self._nodes.get(uid)

    def dependents(self, uid: str) -> list[Node]:
        return [self._nodes[d] for d in self._dependents.get(uid, ()) if d in self._nodes]

    def put(self, node: Node) -> list[str]:
        """Stores the object: gives the UIDs of what has to be looked at because of it."""
        old = self._nodes.get(node.uid)
        self._nodes[node.uid] = node
        before = _owner_uids(old) if old is not None else set()
        after = _owner_uids(node)
        for uid in before - after:
            self._forget(uid, node.uid)
        for uid in after - before:
            self._dependents.setdefault(uid, set()).add(node.uid)
        look = []
        waits = node.deletes_dependents or node.orphans_dependents
        unseen = any(owner.get("uid") not in self._nodes for owner in node.owners)
        if waits or unseen or any(self._waits(uid) for uid in after - before):
            look.append(node.uid)
        if old is not None and old.owners != node.owners:
            # An owner that waits may wait for this one no more.
            look.extend(uid for uid in before if self._waits(uid))
        return look

    def remove(self, uid: str) -> list[str]:
        """Forgets the object: gives the UIDs of what has to be looked at because of it."""
        node = self._nodes.pop(uid, None)
        if node is None:
            return []
        for owner in _owner_uids(node):
            self._forget(owner, uid)
        waiting = [owner for owner in _owner_uids(node) if self._waits(owner)]
        return [*(d.uid for d in self.dependents(uid)), *waiting]

    def _waits(self, uid: str) -> bool:
        owner = self._nodes.get(uid)
        return owner is not None and owner.deletes_dependents

    def _forget(self, owner: str, uid: str) -> None:
        found = self._dependents.get(owner)
        if found is not None:
            found.discard(uid)
            if not found:
                del self._dependents[owner]


def _owner_uids(node: Node) -> set[str]:
    return {str(owner.get("uid") or "") for owner in node.owners}
