from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lateen.api.objects import Key, ObjectRef
from lateen.engine import Engine, Reader, Table, query
from lateen.model.inputs import (
    CONFIG_MAPS,
    MESH_CONFIG,
    NAMESPACES,
    REJECTED,
    REJECTED_GENERATIONS,
    SERVICES,
    VIRTUAL_SERVICES,
    WARNINGS,
)
from lateen.sources.mesh_settings import FILES
from lateen.sources.source import Change, KindName, Sink
from lateen.sources.store import Store

SERVICE, NAMESPACE, CONFIG_MAP = KindName("", "Service"), KindName("", "Namespace"), KindName("", "ConfigMap")
ROUTES = KindName("networking.istio.io", "VirtualService")
A, B = Key("default", "a"), Key("default", "b")


class Nobody:
    """A source that tells nothing by itself."""

    def __init__(self, name: str, *kinds: KindName) -> None:
        self.name = name
        self.kinds = kinds

    async def run(self, sink: Sink) -> None: ...


class World:
    def __init__(self, **options: Any) -> None:
        self.engine = Engine()
        self.commits = 0
        self.store = Store(self.engine, committed=self._committed, **options)

    def _committed(self) -> None:
        self.commits += 1

    def sink(self, name: str = "s", *kinds: KindName) -> Sink:
        return self.store.sink(Nobody(name, *(kinds or (SERVICE, ROUTES))))

    def get(self, table: Table[Any, Any], key: Any) -> Any:
        return self.engine.get(_value, table, key)

    @property
    def mesh(self) -> Any:
        return self.engine.get(_mesh)

    def rejected(self, kind: str, key: Key) -> list[str]:
        return [fault.path for fault in self.get(REJECTED, ObjectRef(kind, key)) or ()]


@query
def _value(db: Reader, table: Any, key: Any) -> Any:
    return table.get(db, key)


@query
def _mesh(db: Reader) -> Any:
    return MESH_CONFIG.get(db)


def service(key: Key, port: Any = 80, **metadata: Any) -> Change:
    named = {"name": key.name, "namespace": key.namespace, **metadata}
    raw = {"apiVersion": "v1", "kind": "Service", "metadata": named, "spec": {"ports": [{"port": port}]}}
    return Change(SERVICE, key, raw)


def routes(key: Key, hosts: Any, *, origin: str = "", **metadata: Any) -> Change:
    named = {"name": key.name, "namespace": key.namespace, **metadata}
    spec = {"hosts": hosts, "http": [{"route": [{"destination": {"host": "reviews"}}]}]}
    raw = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": named, "spec": spec}
    return Change(ROUTES, key, raw, origin)


def config_map(key: Key, data: Mapping[str, str]) -> Change:
    metadata = {"name": key.name, "namespace": key.namespace}
    return Change(CONFIG_MAP, key, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def gone(change: Change) -> Change:
    return Change(change.kind, change.key, None)


async def test_a_batch_is_one_revision() -> None:
    world = World()
    sink, revision = world.sink(), world.engine.revision
    await sink.apply([service(A), service(B), routes(A, ["reviews"])])
    assert world.engine.revision == revision + 1
    assert world.commits == 1
    assert world.get(SERVICES, A).spec.ports[0].port == 80
    assert world.get(VIRTUAL_SERVICES, A).spec.hosts == ("reviews",)


async def test_what_says_nothing_new_does_not_touch_the_engine() -> None:
    world = World()
    sink = world.sink()
    await sink.apply([service(A, resourceVersion="1"), routes(A, ["reviews"])])
    revision = world.engine.revision
    noisy = routes(A, ["reviews"], resourceVersion="2", managedFields=[{"manager": "x"}])
    assert noisy.raw is not None
    await sink.apply([service(A, resourceVersion="2"), Change(ROUTES, A, {**noisy.raw, "status": {"conditions": []}})])
    await sink.apply([gone(service(B))])
    assert (world.engine.revision, world.commits) == (revision, 1)


async def test_a_rejected_version_keeps_the_last_good_one_and_is_told_of() -> None:
    world = World()
    sink = world.sink()
    await sink.apply([routes(A, ["reviews"], generation=1)])
    await sink.apply([routes(A, "reviews", generation=2), service(B)])
    assert world.get(VIRTUAL_SERVICES, A).spec.hosts == ("reviews",)
    assert world.rejected("VirtualService", A) == ["spec.hosts"]
    assert world.get(REJECTED_GENERATIONS, ObjectRef("VirtualService", A)) == 2
    assert world.get(SERVICES, B) is not None
    await sink.apply([routes(A, ["ratings"], generation=3)])
    assert world.get(VIRTUAL_SERVICES, A).spec.hosts == ("ratings",)
    assert world.rejected("VirtualService", A) == []
    assert world.get(REJECTED_GENERATIONS, ObjectRef("VirtualService", A)) is None


async def test_an_object_that_never_was_good_is_told_of_until_it_is_gone() -> None:
    world = World()
    sink = world.sink()
    await sink.apply([routes(A, 5, origin="routes.yaml:3")])
    assert world.get(VIRTUAL_SERVICES, A) is None
    assert world.rejected("VirtualService", A)
    assert world.store.origin(ObjectRef("VirtualService", A)) == "routes.yaml:3"
    await sink.apply([gone(routes(A, []))])
    assert world.rejected("VirtualService", A) == []
    assert world.store.origin(ObjectRef("VirtualService", A)) == ""


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"apiVersion": 5, "kind": [], "metadata": "x"},
        {"apiVersion": "networking.istio.io/v9", "kind": "VirtualService", "metadata": {"name": "a"}},
        {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "a"}, "spec": []},
        {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "a", "labels": 5}},
    ],
)
async def test_garbage_is_rejected_and_delays_nothing(raw: dict[str, Any]) -> None:
    world = World()
    sink = world.sink()
    await sink.apply([Change(ROUTES, A, raw), service(B)])
    assert world.rejected("VirtualService", A)
    assert world.get(SERVICES, B) is not None


async def test_synced_removes_what_the_source_no_longer_has() -> None:
    world = World()
    sink, other = world.sink("one"), world.sink("two")
    await sink.apply([service(A), service(B), routes(A, "bad"), routes(B, ["b"])])
    elsewhere = Key("other", "c")
    await other.apply([service(elsewhere)])
    await sink.synced(SERVICE, {B})
    assert world.get(SERVICES, A) is None
    assert world.get(SERVICES, B) is not None
    assert world.get(SERVICES, elsewhere) is not None
    await sink.synced(ROUTES, None)
    assert world.get(VIRTUAL_SERVICES, B) is not None
    await sink.synced(ROUTES, ())
    assert world.get(VIRTUAL_SERVICES, B) is None
    assert world.rejected("VirtualService", A) == []


async def test_ready_when_every_source_has_told_everything() -> None:
    world = World()
    first, second = world.sink("one", SERVICE, ROUTES), world.sink("two", SERVICE, KindName("apps", "Deployment"))
    assert world.store.waiting == ("one: Service", "one: VirtualService.networking.istio.io", "two: Service")
    await first.synced(SERVICE, ())
    await first.synced(ROUTES, None)
    assert world.store.waiting == ("two: Service",)
    await second.synced(SERVICE, ())
    await world.store.synced()
    assert world.store.waiting == ()


async def test_kinds_that_nothing_reads_are_let_be() -> None:
    world = World()
    revision = world.engine.revision
    sink = world.sink()
    await sink.apply([Change(KindName("apps", "Deployment"), A, {"apiVersion": "apps/v1", "kind": "Deployment"})])
    await sink.synced(KindName("apps", "Deployment"), {A})
    assert world.engine.revision == revision


# --- several sources ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_of_two_sources_with_one_object_the_first_counts_whoever_told_first(order: tuple[int, int]) -> None:
    world = World()
    sinks = [world.sink("one"), world.sink("two")]
    changes = [service(A, 1), service(A, 2)]
    for index in order:
        await sinks[index].apply([changes[index]])
    assert world.get(SERVICES, A).spec.ports[0].port == 1
    assert world.store.problems == {"two": {"Service default/a": "also in one, which counts"}}
    await sinks[1].apply([service(A, 3)])
    assert world.get(SERVICES, A).spec.ports[0].port == 1
    await sinks[0].apply([gone(changes[0])])
    assert world.get(SERVICES, A).spec.ports[0].port == 3
    assert world.store.problems == {}
    await sinks[1].apply([gone(changes[1])])
    assert world.get(SERVICES, A) is None


async def test_an_object_shadowed_and_removed_leaves_the_other_alone() -> None:
    world = World()
    first, second = world.sink("one"), world.sink("two")
    await first.apply([service(A, 1)])
    await second.apply([service(A, 2)])
    await second.synced(SERVICE, ())
    assert world.get(SERVICES, A).spec.ports[0].port == 1
    assert world.store.problems == {}
    await first.synced(SERVICE, ())
    assert world.get(SERVICES, A) is None


async def test_a_bad_object_behind_a_good_one_is_no_reason_to_keep_the_good_one() -> None:
    world = World()
    first, second = world.sink("one"), world.sink("two")
    await first.apply([routes(A, ["reviews"])])
    await second.apply([routes(A, "bad")])
    assert world.rejected("VirtualService", A) == []
    await first.synced(ROUTES, ())
    assert world.get(VIRTUAL_SERVICES, A) is None
    assert world.rejected("VirtualService", A) == ["spec.hosts"]


# --- revisions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "label", "taken"),
    [
        ("default", None, True),
        ("default", "default", True),
        ("", "default", True),
        ("default", "canary", False),
        ("canary", "canary", True),
        ("canary", None, True),
    ],
)
async def test_objects_of_other_revisions_are_none_of_our_business(ours: str, label: str | None, taken: bool) -> None:
    world = World(revision=ours)
    sink = world.sink()
    labels = {"istio.io/rev": label} if label else {}
    await sink.apply([routes(A, ["reviews"], labels=labels), service(A, labels=labels)])
    assert (world.get(VIRTUAL_SERVICES, A) is not None) is taken
    assert world.get(SERVICES, A) is not None


async def test_an_object_that_moves_to_another_revision_leaves() -> None:
    world = World()
    sink = world.sink()
    await sink.apply([routes(A, ["reviews"])])
    await sink.apply([routes(A, ["reviews"], labels={"istio.io/rev": "canary"})])
    assert world.get(VIRTUAL_SERVICES, A) is None


# --- mesh settings --------------------------------------------------------------------------------------------------

ISTIO = Key("istio-system", "istio")


async def test_mesh_config_comes_from_the_config_map_of_the_revision() -> None:
    world = World(revision="canary")
    sink = world.sink("s", CONFIG_MAP)
    await sink.apply([config_map(ISTIO, {"mesh": "trustDomain: wrong"})])
    assert world.mesh.trust_domain == "cluster.local"
    ours = config_map(Key("istio-system", "istio-canary"), {"mesh": "trustDomain: right"})
    await sink.apply([ours])
    assert world.mesh.trust_domain == "right"
    await sink.apply([gone(ours)])
    assert world.mesh.trust_domain == "cluster.local"


async def test_bad_mesh_config_keeps_the_last_good_one() -> None:
    world = World()
    sink = world.sink("s", CONFIG_MAP)
    await sink.apply([config_map(ISTIO, {"mesh": "trustDomain: good"})])
    for bad in ("trustDomain: [", "trustDomain: [5]"):
        await sink.apply([config_map(ISTIO, {"mesh": bad})])
        assert world.mesh.trust_domain == "good"
        assert world.rejected("ConfigMap", ISTIO)[0].startswith("data.mesh")
    assert world.get(CONFIG_MAPS, ISTIO).data == {"mesh": "trustDomain: good"}
    await sink.apply([config_map(ISTIO, {"mesh": "trustDomain: better"})])
    assert world.mesh.trust_domain == "better"
    assert world.rejected("ConfigMap", ISTIO) == []


async def test_unknown_fields_of_mesh_config_are_warned_about() -> None:
    world = World()
    sink = world.sink("s", CONFIG_MAP)
    await sink.apply([config_map(ISTIO, {"mesh": "noSuchField: 1"})])
    (fault,) = world.get(WARNINGS, ObjectRef("ConfigMap", ISTIO))
    assert fault.path == "data.mesh.noSuchField"


async def test_files_count_instead_of_the_config_map_text_by_text() -> None:
    world = World()
    files, cluster = world.sink("files", CONFIG_MAP), world.sink("cluster", CONFIG_MAP)
    await cluster.apply([config_map(ISTIO, {"mesh": "trustDomain: cluster"})])
    await files.apply([config_map(FILES, {"meshNetworks": "networks: {}"})])
    assert world.mesh.trust_domain == "cluster"
    await files.apply([config_map(FILES, {"mesh": "trustDomain: file"})])
    assert world.mesh.trust_domain == "file"
    await cluster.apply([config_map(ISTIO, {"mesh": "trustDomain: other"})])
    assert world.mesh.trust_domain == "file"


async def test_namespaces_are_keyed_without_a_namespace() -> None:
    world = World()
    sink = world.sink("s", NAMESPACE)
    key = Key("", "shop")
    await sink.apply([Change(NAMESPACE, key, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})])
    assert world.get(NAMESPACES, key).metadata.name == "shop"


async def test_objects_of_other_clusters_have_keys_of_their_own() -> None:
    world = World()
    sink, remote = world.sink("here"), world.sink("there")
    there = A._replace(cluster="west")
    await sink.apply([service(A, 1)])
    await remote.apply([Change(SERVICE, there, service(A, 2).raw)])
    assert world.get(SERVICES, A).spec.ports[0].port == 1
    assert world.get(SERVICES, there).spec.ports[0].port == 2


async def test_what_its_source_refuses_is_rejected_with_its_words_and_the_last_good_version_stays() -> None:
    world = World()
    sink = world.sink()
    await sink.apply([routes(A, ["reviews"])])
    head = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "a"}}
    await sink.apply([Change(ROUTES, A, head, refused="far too large")])
    (fault,) = world.get(REJECTED, ObjectRef("VirtualService", A))
    assert fault.message == "far too large"
    assert world.get(VIRTUAL_SERVICES, A).spec.hosts == ("reviews",)
