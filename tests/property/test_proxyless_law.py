"""Laws of what gRPC applications without a proxy may ask for, over random meshes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from lateen.model.proxy import Generator, Proxy
from lateen.testing.held_resources import Held, check_references, held, references
from lateen.testing.mesh import Mesh, Rejected
from lateen.testing.proxyless import proxyless
from lateen.testing.random_meshes import identity_of, objects, proxies
from lateen.testing.until import until
from lateen.translate.grpc.names import SERVER_PREFIX
from lateen.translate.resource import ResourceType

PROXIES = tuple(msgspec.structs.replace(proxy, generator=Generator.GRPC) for proxy in proxies()[:2])


def mesh_of(items: list[dict[str, Any]]) -> Mesh:
    mesh = Mesh()
    for item in items:
        with contextlib.suppress(Rejected):
            mesh.apply(item)
    return mesh


@given(st.lists(objects, max_size=20), st.lists(objects, max_size=5))
@settings(max_examples=60)
def test_all_that_is_named_is_there_and_changes_lead_where_a_fresh_start_does(
    items: list[dict[str, Any]], changes: list[dict[str, Any]]
) -> None:
    mesh = mesh_of(items)
    for change in changes:
        for proxy in PROXIES:
            check_references(held(mesh, proxy))
        with contextlib.suppress(Rejected):
            mesh.apply(change)
    latest = {identity_of(item): item for item in [*items, *changes]}
    valid = [item for item in latest.values() if _is_valid(item)]
    if len(valid) < len(latest):
        # What was rejected last leaves an earlier one in force.
        return
    fresh = mesh_of(valid)
    for proxy in PROXIES:
        found = held(mesh, proxy)
        check_references(found)
        assert found == held(fresh, proxy)


def _is_valid(item: dict[str, Any]) -> bool:
    try:
        Mesh(item)
    except Rejected:
        return False
    return True


@given(st.lists(objects, min_size=8, max_size=40))
@settings(max_examples=12)
def test_a_library_takes_all_that_a_client_may_ask_for(items: list[dict[str, Any]]) -> None:
    mesh = mesh_of(items)
    for proxy in PROXIES:
        targets = _targets(held(mesh, proxy))
        if targets:
            asyncio.run(_takes(mesh, proxy, targets))


def _targets(found: Held) -> list[str]:
    """One for every route configuration."""
    named: dict[frozenset[str], str] = {}
    for name, resource in sorted(found[ResourceType.LDS].items()):
        if not name.startswith(SERVER_PREFIX):
            named.setdefault(references(ResourceType.LDS, resource).routes, name)
    return list(named.values())


async def _takes(mesh: Mesh, proxy: Proxy, targets: list[str]) -> None:
    labels, address = dict(proxy.labels), proxy.addresses[0]
    async with proxyless(mesh) as here, here.application(proxy.id, address=address, labels=labels) as client:
        for target in targets:
            # Nobody answers: the client has what it needs to try, or goes on without.
            await client.call(f"xds:///{target}", timeout=0.1)
        await until(here.has_settled)
        assert not here.rejections
