"""The controller of CustomResourceDefinitions against a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lateen.cluster.apiserver.crd.controller import DEFINITIONS, DefinitionController
from lateen.cluster.apiserver.crd.definition_kind import CLEANUP
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.conditions import is_true
from lateen.cluster.objects import GVR, Key, Obj, deep_copy

BOATS = ("yard.example.com", "boats")
GVR_V1 = GVR("yard.example.com", "v1", "boats")


@pytest.fixture(scope="module")
def schemas() -> BuiltinSchemas:
    return BuiltinSchemas.load()


def boats(plural: str = "boats", kind: str = "Boat", short: str = "bo") -> Obj:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.yard.example.com"},
        "spec": {
            "group": "yard.example.com",
            "scope": "Namespaced",
            "names": {
                "plural": plural,
                "singular": kind.lower(),
                "kind": kind,
                "listKind": f"{kind}List",
                "shortNames": [short],
            },
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    }


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "store.db")
    yield opened
    await opened.close()


async def until(store: Store, name: str, holds: Callable[[Obj | None], bool]) -> Obj | None:
    with store.watch(DEFINITIONS) as watch:
        while True:
            found = store.get(DEFINITIONS, Key("", name))
            if holds(found):
                return found
            await anext(watch)


async def test_a_definition_is_served_before_it_says_so(store: Store, schemas: BuiltinSchemas) -> None:
    registry = Registry()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(DefinitionController(store, registry, schemas).run())
        await store.create(DEFINITIONS, boats())
        found = await until(
            store, "boats.yard.example.com", lambda crd: crd is not None and is_true(crd, "Established")
        )
        assert registry.get(GVR_V1) is not None
        assert found is not None
        assert is_true(found, "NamesAccepted")
        assert found["status"]["acceptedNames"]["shortNames"] == ["bo"]
        running.cancel()


async def test_names_in_use_are_not_accepted_until_they_are_free(store: Store, schemas: BuiltinSchemas) -> None:
    registry = Registry()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(DefinitionController(store, registry, schemas).run())
        await store.create(DEFINITIONS, boats())
        await until(store, "boats.yard.example.com", lambda crd: crd is not None and is_true(crd, "Established"))
        await store.create(DEFINITIONS, boats("dinghies", "Boat", "di"))
        refused = await until(
            store,
            "dinghies.yard.example.com",
            lambda crd: crd is not None and bool((crd.get("status") or {}).get("conditions")),
        )
        assert refused is not None
        conditions = {c["type"]: c for c in refused["status"]["conditions"]}
        assert conditions["NamesAccepted"]["message"] == '"BoatList" is already in use'
        assert conditions["Established"]["reason"] == "NotAccepted"
        assert registry.get(GVR("yard.example.com", "v1", "dinghies")) is None
        await store.delete(DEFINITIONS, Key("", "boats.yard.example.com"), None)
        await until(store, "dinghies.yard.example.com", lambda crd: crd is not None and is_true(crd, "Established"))
        assert registry.get(GVR_V1) is None
        running.cancel()


async def test_objects_go_before_their_definition(store: Store, schemas: BuiltinSchemas) -> None:
    registry = Registry()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(DefinitionController(store, registry, schemas).run())
        await store.create(DEFINITIONS, boats())
        crd = await until(store, "boats.yard.example.com", lambda crd: crd is not None and is_true(crd, "Established"))
        assert crd is not None
        for name, finalizers in (("plain", []), ("held", ["example.com/hold"])):
            meta = {"name": name, "namespace": "default", "finalizers": finalizers}
            await store.create(BOATS, {"apiVersion": "yard.example.com/v1", "kind": "Boat", "metadata": meta})
        going = deep_copy(crd)
        going["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [CLEANUP]}
        with store.watch(BOATS) as watch:
            await store.update(DEFINITIONS, going, crd["metadata"]["resourceVersion"])
            while not ((held := store.get(BOATS, Key("default", "held"))) and "deletionTimestamp" in held["metadata"]):
                await anext(watch)
        assert store.get(DEFINITIONS, Key("", "boats.yard.example.com")) is not None
        await store.delete(BOATS, Key("default", "held"), None)
        await until(store, "boats.yard.example.com", lambda crd: crd is None)
        assert registry.get(GVR_V1) is None
        running.cancel()


async def test_what_was_established_is_served_after_a_restart(store: Store, schemas: BuiltinSchemas) -> None:
    crd = boats()
    crd["status"] = {
        "acceptedNames": crd["spec"]["names"],
        "conditions": [{"type": "Established", "status": "True"}],
    }
    await store.create(DEFINITIONS, crd)
    registry = Registry()
    DefinitionController(store, registry, schemas).load()
    kind = registry.get(GVR_V1)
    assert kind is not None
    assert kind.resource.short_names == ("bo",)
