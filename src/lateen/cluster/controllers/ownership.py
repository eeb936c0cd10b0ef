"""Adoption and release: which objects a controller owns, by selector and controller reference.

Source: k8s.io/kubernetes `pkg/controller` (ControllerRefManager).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lateen.cluster.controllers.controller import Environment
from lateen.cluster.controllers.pods import controller_reference, is_deleting, is_terminal
from lateen.cluster.objects import GVR, Obj, controller_of, key_of, labels_of, metadata, owner_references, uid_of
from lateen.cluster.selectors import Selector
from lateen.cluster.status import StatusError


@dataclass(slots=True)
class Claims:
    """What is owned already, what to adopt, and what to let go."""

    owned: list[Obj] = field(default_factory=list)
    adopt: list[Obj] = field(default_factory=list)
    release: list[Obj] = field(default_factory=list)


def claims(owner: Obj, selector: Selector, candidates: Iterable[Obj]) -> Claims:
    """Sorts `candidates` (of the owner's namespace) by what the owner has to do with them."""
    found = Claims()
    for obj in candidates:
        controller = controller_of(obj)
        matches = selector.matches(labels_of(obj))
        if controller is not None:
            if controller.get("uid") != uid_of(owner):
                continue
            if matches:
                found.owned.append(obj)
            elif not is_deleting(owner):
                found.release.append(obj)
        elif matches and not is_deleting(owner) and not is_deleting(obj) and not is_terminal(obj):
            found.adopt.append(obj)
    return found


async def claim(env: Environment, gvr: GVR, owner: Obj, found: Claims) -> list[Obj]:
    """Adopts and releases; gives what is owned then. Raises StatusError when an adoption fails."""
    owned = list(found.owned)
    for obj in found.adopt:
        adopted = await _set_owners(env, gvr, obj, [*owner_references(obj), controller_reference(owner)])
        if adopted is not None:
            owned.append(adopted)
    for obj in found.release:
        rest = [reference for reference in owner_references(obj) if reference.get("uid") != uid_of(owner)]
        await _set_owners(env, gvr, obj, rest)
    return owned


async def _set_owners(env: Environment, gvr: GVR, obj: Obj, references: list[Obj]) -> Obj | None:
    patch = {
        "metadata": {
            "uid": uid_of(obj),
            "resourceVersion": metadata(obj).get("resourceVersion"),
            "ownerReferences": references or None,
        }
    }
    try:
        return await env.patch(gvr, key_of(obj), patch)
    except StatusError as error:
        if error.code in (404, 422):
            return None
        raise
