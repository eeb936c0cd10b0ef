"""Whether what is in a cluster is what an installation describes, and works."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lateen.install.cluster.applying import Change, Terms, apply_one, is_established
from lateen.install.cluster.places import DEFINITION, DEPLOYMENT, OWNED, described, path_of, place_of
from lateen.install.cluster.readiness import waiting_for
from lateen.install.cluster.requests import ClusterApi, InstallError, listed, read, together
from lateen.install.names import BASE, COMPONENT, OWNER, PILOT
from lateen.install.rendering.objects import Rendered


async def verify(api: ClusterApi, rendered: Iterable[Rendered]) -> int:
    """How many objects are as described and ready. Raises InstallError with all that are not."""
    objects = [each.object for each in rendered]
    limit = asyncio.Semaphore(8)

    async def bounded(desired: Mapping[str, Any]) -> str:
        async with limit:
            return await _difference(api, desired)

    found = await together(bounded(each) for each in objects)
    return _outcome(objects, found)


async def verify_installed(api: ClusterApi, owner: str = "") -> list[dict[str, Any]]:
    """What is installed (of one owner, or of all) and ready. Raises InstallError with all that is not."""
    chosen = OWNER if not owner else f"{OWNER}={owner}"
    queries = [(DEFINITION, f"{OWNER},{COMPONENT}={BASE}"), *((place, chosen) for place in OWNED)]
    lists = await together(listed(api, place, selector) for place, selector in queries)
    objects = [each for items in lists for each in items]
    if not any(_is_control_plane(each) for each in objects):
        if owner:
            raise InstallError("no control plane of this revision is installed here; without --revision all are judged")
        raise InstallError("no control plane is installed here: `lateen install` makes one")
    found = await together(_unready(api, each) for each in objects)
    _outcome(objects, found)
    return objects


def _is_control_plane(found: Mapping[str, Any]) -> bool:
    return place_of(found) == DEPLOYMENT and (found["metadata"].get("labels") or {}).get(COMPONENT) == PILOT


def _outcome(objects: Sequence[Mapping[str, Any]], found: Sequence[str]) -> int:
    wrong = [f"{described(each)}: {why}" for each, why in zip(objects, found, strict=True) if why]
    if wrong:
        raise InstallError("\n".join([f"{len(wrong)} of {len(objects)} objects are not as they should be:", *wrong]))
    return len(objects)


async def _difference(api: ClusterApi, desired: Mapping[str, Any]) -> str:
    """By asking the server what applying would change: nothing that it defaults or that others own counts."""
    if await read(api, path_of(desired)) is None:
        return "is not there"
    try:
        outcome = await apply_one(api, desired, Terms(force=True, dry_run=True))
    except InstallError as problem:
        return str(problem)
    if outcome.change is not Change.UNCHANGED:
        return "differs from what is described: `lateen install` with the same options puts it right"
    return await _unready(api, desired)


async def _unready(api: ClusterApi, found: Mapping[str, Any]) -> str:
    if place_of(found) == DEFINITION:
        return "" if is_established(await read(api, path_of(found))) else "is not served"
    return await waiting_for(api, found)
