"""What the API server serves now: resources come and go with their definitions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from lateen.cluster.client.api import Client
from lateen.cluster.objects import GVR, Obj, split_api_version
from lateen.cluster.status import StatusError


@dataclass(frozen=True, slots=True)
class ServedResource:
    """One resource in the version its group prefers."""

    gvr: GVR
    kind: str
    namespaced: bool
    verbs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Discovered:
    """`complete` is False when a group could not be asked: what is missing then is not known to be gone."""

    resources: tuple[ServedResource, ...]
    kinds: dict[tuple[str, str], ServedResource]
    """By (apiVersion, kind), in every served version."""
    complete: bool


async def discover(client: Client) -> Discovered:
    """Asks for everything served. Raises StatusError when the server does not even list its groups."""
    groups = await _get(client, "/apis")
    wanted: list[tuple[str, str, bool]] = [("/api/v1", "v1", True)]
    for group in groups.get("groups") or ():
        preferred = (group.get("preferredVersion") or {}).get("groupVersion")
        for version in group.get("versions") or ():
            name = str(version["groupVersion"])
            wanted.append((f"/apis/{name}", name, name == preferred))
    answers = await asyncio.gather(*(_try(client, path) for path, _, _ in wanted))
    found: dict[tuple[str, str], ServedResource] = {}
    kinds: dict[tuple[str, str], ServedResource] = {}
    for (_, group_version, preferred), answer in zip(wanted, answers, strict=True):
        for served in _resources(group_version, (answer or {}).get("resources") or ()):
            kinds[(group_version, served.kind)] = served
            resource = (served.gvr.group, served.gvr.plural)
            if preferred or resource not in found:
                found[resource] = served
    return Discovered(tuple(found.values()), kinds, all(answer is not None for answer in answers))


async def _get(client: Client, path: str) -> Obj:
    return msgspec.json.decode(await client.request("GET", path), type=Obj)


async def _try(client: Client, path: str) -> Obj | None:
    try:
        return await _get(client, path)
    except StatusError as error:
        # A group that went away between the two questions is simply not there.
        return {} if error.code == 404 else None


def _resources(group_version: str, listed: Iterable[Obj]) -> Iterable[ServedResource]:
    group, version = split_api_version(group_version)
    for resource in listed:
        name = str(resource.get("name") or "")
        if "/" in name:
            continue
        yield ServedResource(
            GVR(group, version, name),
            str(resource.get("kind") or ""),
            bool(resource.get("namespaced")),
            frozenset(resource.get("verbs") or ()),
        )
