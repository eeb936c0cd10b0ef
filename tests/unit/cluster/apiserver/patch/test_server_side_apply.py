from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lateen.cluster.apiserver.patch.comparison import compare
from lateen.cluster.apiserver.patch.field_set import EMPTY, render_path
from lateen.cluster.apiserver.patch.managed_fields import UNTRACKED, decode
from lateen.cluster.apiserver.patch.object_fields import fields_of
from lateen.cluster.apiserver.patch.object_metadata import with_object_metadata
from lateen.cluster.apiserver.patch.server_side_apply import LAST_APPLIED, apply, track
from lateen.cluster.apiserver.patch.structured_merge import with_containers
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.objects import GVK, Obj, deep_copy
from lateen.cluster.status import StatusError

V = "example.dev/v1"


def obj(spec: Any = None, **metadata: Any) -> Obj:
    made = {"apiVersion": V, "kind": "Widget", "metadata": {"name": "w", "namespace": "default", **metadata}}
    return made if spec is None else {**made, "spec": spec}


class Server:
    """One stored object and its writers."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.live: Obj | None = None
        self.clock = 0

    def _now(self) -> str:
        self.clock += 1
        return f"2026-01-01T00:00:{self.clock:02}Z"

    def apply(self, config: Obj, manager: str, force: bool = False, **more: Any) -> Obj:
        before = deep_copy(self.live)
        applied = deep_copy(config)
        result = apply(
            self.live, config, self.schema, manager, force, V, more.pop("subresource", ""), self._now(), **more
        )
        assert self.live == before, "the live object is shared"
        assert config == applied, "the configuration is the caller's"
        self.live = result
        return result

    def update(self, new: Obj, manager: str, subresource: str = "") -> Obj:
        stored = deep_copy(new)
        fields = track(self.live, stored, self.schema, manager, V, subresource, self._now())
        stored["metadata"]["managedFields"] = fields
        self.live = stored
        return stored

    def owned(self, manager: str) -> list[str]:
        assert self.live is not None
        entries = decode(self.live["metadata"].get("managedFields"))
        return sorted(render_path(p) for e in entries if e.manager == manager for p in e.fields)


@pytest.fixture
def server(widget: Schema) -> Server:
    return Server(widget)


def test_creates(server: Server) -> None:
    made = server.apply(obj({"replicas": 1}, labels={"a": "b"}), "me")
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "me",
            "operation": "Apply",
            "apiVersion": V,
            "time": "2026-01-01T00:00:01Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:replicas": {}}},
        }
    ]


def test_a_conflict_names_manager_and_field(server: Server) -> None:
    server.update(obj({"replicas": 1}), "kubectl-client-side-apply")
    with pytest.raises(StatusError) as caught:
        server.apply(obj({"replicas": 2}), "me")
    status = caught.value.to_json()
    message = f'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using {V}: .spec.replicas'
    assert (status["code"], status["reason"], status["message"]) == (409, "Conflict", message)
    assert status["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "kubectl-client-side-apply" using {V}',
            "field": ".spec.replicas",
        }
    ]


def test_several_conflicts_are_listed_by_manager(server: Server) -> None:
    server.apply(obj({"replicas": 1}), "a")
    server.update(obj({"replicas": 1, "tags": ["x"]}, managedFields=server.live["metadata"]["managedFields"]), "b")
    server.update({**deep_copy(server.live), "status": {"ready": 1}}, "c", "status")
    with pytest.raises(StatusError) as caught:
        server.apply({**obj(), "status": {"ready": 2}}, "d", subresource="status")
    assert '"c" with subresource "status" using' in caught.value.message
    server.update({**deep_copy(server.live), "spec": {"replicas": 1, "data": {"k": "1"}}}, "b")
    with pytest.raises(StatusError) as caught:
        server.apply(obj({"replicas": 3, "data": {"k": "2"}}), "d")
    assert caught.value.message == (
        'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.replicas\n'
        f'conflicts with "b" using {V}:\n- .spec.data.k'
    )


def test_force_takes_fields_over(server: Server) -> None:
    server.apply(obj({"replicas": 1, "data": {"k": "1"}}), "a")
    server.apply(obj({"replicas": 2}), "b", force=True)
    assert server.live
    assert server.live["spec"]["replicas"] == 2
    assert server.owned("a") == [".spec.data.k"]
    assert server.owned("b") == [".spec.replicas"]


def test_equal_values_are_shared(server: Server) -> None:
    server.apply(obj({"replicas": 1}), "a")
    server.apply(obj({"replicas": 1}), "b")
    assert server.owned("a") == server.owned("b") == [".spec.replicas"]
    server.apply(obj(), "a")
    assert server.live
    assert server.live["spec"] == {"replicas": 1}
    server.apply(obj(), "b")
    assert "spec" not in server.live


def test_leaving_a_field_out_removes_only_what_nobody_else_owns(server: Server) -> None:
    server.apply(obj({"containers": [{"name": "a", "image": "1"}, {"name": "b"}], "data": {"x": "1"}}), "me")
    live = deep_copy(server.live)
    live["spec"]["data"]["y"] = "theirs"
    server.update(live, "them")
    server.apply(obj({"containers": [{"name": "a"}]}), "me")
    assert server.live
    assert server.live["spec"] == {"containers": [{"name": "a"}], "data": {"y": "theirs"}}


def test_defaults_nobody_owns_stay_with_their_list_item(server: Server) -> None:
    server.apply(obj({"containers": [{"name": "a", "image": "1"}]}), "me")
    assert server.live
    server.live["spec"]["containers"][0]["args"] = ["defaulted"]
    server.apply(obj({"containers": [{"name": "a"}]}), "me")
    assert server.live["spec"]["containers"] == [{"name": "a", "args": ["defaulted"]}]
    server.apply(obj({"containers": []}), "me")
    assert not server.live.get("spec", {}).get("containers")


def test_keys_are_completed_with_their_defaults(server: Server) -> None:
    server.apply(obj({"containers": [{"name": "a", "ports": [{"port": 80}]}]}), "me")
    assert server.live
    server.live["spec"]["containers"][0]["ports"][0]["protocol"] = "TCP"
    server.apply(obj({"containers": [{"name": "a", "ports": [{"port": 80, "name": "http"}]}]}), "me")
    assert server.live["spec"]["containers"][0]["ports"] == [{"port": 80, "protocol": "TCP", "name": "http"}]


def test_an_apply_that_changes_nothing_keeps_times(server: Server) -> None:
    first = server.apply(obj({"replicas": 1}), "me")
    assert server.apply(obj({"replicas": 1}), "me") == first


def test_system_metadata_survives_a_manifest_from_dry_run(server: Server) -> None:
    server.apply(obj({"replicas": 1}, creationTimestamp="then", uid="u"), "me")
    assert server.live
    server.live["metadata"] |= {"creationTimestamp": "then", "generation": 1, "resourceVersion": "5"}
    server.apply({**obj({"replicas": 2}, creationTimestamp=None), "status": {}}, "me")
    meta = server.live["metadata"]
    assert (meta["creationTimestamp"], meta["generation"], meta["resourceVersion"]) == ("then", 1, "5")
    assert "status" not in server.live


def test_managed_fields_must_be_nil(server: Server) -> None:
    with pytest.raises(StatusError) as caught:
        server.apply(obj({}, managedFields=[{"manager": "x"}]), "me")
    assert (caught.value.code, caught.value.message) == (400, "metadata.managedFields must be nil")


def test_version_must_be_the_requests(server: Server) -> None:
    with pytest.raises(StatusError) as caught:
        server.apply({**obj(), "apiVersion": "v9"}, "me")
    assert caught.value.code == 400


def test_unknown_fields_are_refused(server: Server) -> None:
    with pytest.raises(StatusError) as caught:
        server.apply(obj({"replica": 1}), "me")
    assert caught.value.message == (
        f"failed to create typed patch object (default/w; {V}, Kind=Widget): "
        ".spec.replica: field not declared in schema"
    )


def test_status_has_its_own_owner(server: Server) -> None:
    server.apply({**obj({"replicas": 1}), "status": {"ready": 9}}, "me")
    assert server.live
    assert "status" not in server.live
    server.apply({**obj({"replicas": 7}), "status": {"ready": 1}}, "me", subresource="status")
    assert server.live["status"] == {"ready": 1}
    assert server.live["spec"] == {"replicas": 1}
    assert [e.get("subresource") for e in server.live["metadata"]["managedFields"]] == [None, "status"]


def test_objects_without_status_subresource_apply_status_too(server: Server) -> None:
    server.apply({**obj(), "status": {"ready": 9}}, "me", status_subresource=False)
    assert server.live
    assert server.live["status"] == {"ready": 9}


def test_first_apply_to_an_unmanaged_object(server: Server) -> None:
    server.live = obj({"replicas": 1})
    with pytest.raises(StatusError) as caught:
        server.apply(obj({"replicas": 2}), "me")
    assert "before-first-apply" in caught.value.message
    server.apply(obj({"data": {"a": "1"}}), "me")
    assert server.owned("before-first-apply") == [".spec", ".spec.replicas"]


def test_updates_share_one_entry_and_take_over(server: Server) -> None:
    server.apply(obj({"replicas": 1, "data": {"a": "1"}}), "applier")
    live = deep_copy(server.live)
    live["spec"]["replicas"] = 5
    server.update(live, "hpa")
    live = deep_copy(server.live)
    live["spec"]["tags"] = ["t"]
    server.update(live, "hpa")
    assert server.owned("hpa") == [".spec.replicas", ".spec.tags", '.spec.tags[="t"]']
    assert server.owned("applier") == [".spec.data.a"]


def test_an_update_that_changes_nothing_keeps_times(server: Server) -> None:
    first = server.update(obj({"replicas": 1}), "me")
    assert server.update(first, "me") == first


def test_resetting_managed_fields(server: Server) -> None:
    server.apply(obj({"replicas": 1}), "me")
    live = deep_copy(server.live)
    live["metadata"]["managedFields"] = [{}]
    assert server.update(live, "me")["metadata"]["managedFields"] == []


def test_migration_from_client_side_apply_by_editing_managed_fields(server: Server) -> None:
    server.update(obj({"replicas": 1, "data": {"old": "1"}}), "kubectl-client-side-apply")
    live = deep_copy(server.live)
    for entry in live["metadata"]["managedFields"]:
        entry |= {"manager": "kubectl", "operation": "Apply"}
    server.update(live, "kubectl")
    server.apply(obj({"replicas": 2}), "kubectl")
    assert server.live
    assert server.live["spec"] == {"replicas": 2}


def test_kubectl_takes_over_what_it_last_applied_client_side(server: Server) -> None:
    config = obj({"replicas": 1})
    annotated = obj({"replicas": 1}, annotations={LAST_APPLIED: json.dumps(config)})
    server.update(annotated, "kubectl-client-side-apply")
    server.apply(obj({"replicas": 3}), "kubectl")
    assert server.live
    assert server.live["spec"]["replicas"] == 3
    recorded = json.loads(server.live["metadata"]["annotations"][LAST_APPLIED])
    assert recorded["spec"] == {"replicas": 3}
    live = deep_copy(server.live)
    live["spec"]["replicas"] = 4
    server.update(live, "someone")
    with pytest.raises(StatusError):
        server.apply(obj({"replicas": 3}), "kubectl")


def test_a_real_deployment() -> None:
    schema = BuiltinSchemas.load().for_gvk(GVK("apps", "v1", "Deployment"))
    config = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "a"}},
            "template": {
                "metadata": {"labels": {"app": "a"}},
                "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]},
            },
        },
    }
    created = apply(None, config, schema, "kubectl", False, "apps/v1", "", "t")
    keys = created["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert keys == {
        'k:{"name":"c"}': {
            ".": {},
            "f:image": {},
            "f:name": {},
            "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
        }
    }
    tracked = track(None, config, schema, "kubectl-create", "apps/v1", "", "t")[0]["fieldsV1"]["f:spec"]
    assert tracked["f:template"]["f:metadata"] == {"f:labels": {".": {}, "f:app": {}}}
    assert tracked["f:selector"] == {}


# --- laws --------------------------------------------------------------------------------------------------------

text = st.sampled_from(["x", "y"])
containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abc")},
        optional={
            "image": text,
            "args": st.lists(text, max_size=2),
            "ports": st.lists(
                st.fixed_dictionaries({"port": st.integers(1, 2)}, optional={"name": text}),
                min_size=1,
                max_size=2,
                unique_by=lambda p: p["port"],
            ),
        },
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda c: c["name"],
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 2),
        "data": st.dictionaries(text, text, max_size=2),
        "selector": st.dictionaries(text, text, max_size=2),
        "containers": containers,
        "tags": st.lists(text, min_size=1, max_size=2, unique=True),
        "strategy": st.fixed_dictionaries({}, optional={"type": text, "rolling": st.just({"max": 1})}),
    },
)
histories = st.lists(st.tuples(st.sampled_from(["apply", "update"]), st.sampled_from("pq"), specs), max_size=4)


def replay(schema: Schema, history: list[tuple[str, str, Any]]) -> Server:
    server = Server(schema)
    for operation, manager, spec in history:
        if operation == "apply":
            server.apply(obj(spec), manager, force=True)
        else:
            carried = {"managedFields": server.live["metadata"].get("managedFields", [])} if server.live else {}
            server.update(obj(spec, **carried), manager)
    return server


@given(histories=histories, spec=specs)
@settings(max_examples=60)
def test_applying_twice_is_applying_once(widget: Schema, histories: Any, spec: Any) -> None:
    server = replay(widget, histories)
    once = server.apply(obj(spec), "me", force=True)
    assert server.apply(obj(spec), "me") == once


@given(histories=histories, spec=specs)
@settings(max_examples=60)
def test_the_applied_configuration_is_in_the_object(widget: Schema, histories: Any, spec: Any) -> None:
    server = replay(widget, histories)
    result = server.apply(obj(spec), "me", force=True)
    full = with_object_metadata(widget)
    assert not compare(obj(spec), result, full).modified
    assert not compare(obj(spec), result, full).removed.difference(UNTRACKED)
    assert not fields_of(obj(spec), full).difference(with_containers(fields_of(result, full), full))


@given(histories=histories, spec=specs)
@settings(max_examples=60)
def test_taking_back_everything_leaves_what_others_own(widget: Schema, histories: Any, spec: Any) -> None:
    server = replay(widget, histories)
    before = server.apply(obj(spec), "me", force=True)
    after = server.apply(obj(), "me")
    full = with_object_metadata(widget)
    mine = EMPTY
    for entry in decode(before["metadata"].get("managedFields")):
        if entry.manager == "me":
            mine = mine.union(entry.fields)
    gone = compare(before, after, full)
    assert not gone.added
    assert all(any(path[:n] in mine or n <= 2 for n in range(1, len(path) + 1)) for path in gone.removed)
    for entry in decode(before["metadata"].get("managedFields")):
        if entry.manager != "me":
            for path in entry.fields.intersection(gone.removed):
                # As on Kubernetes: within an item that was only mine, or a container left empty.
                assert any(path[:n] in mine for n in range(1, len(path))) or path in with_containers(mine, full)


@given(histories=histories, spec=specs)
@settings(max_examples=60)
def test_an_update_owns_exactly_what_it_changes(widget: Schema, histories: Any, spec: Any) -> None:
    server = replay(widget, histories)
    old = server.live
    full = with_object_metadata(widget)
    change = compare(old, obj(spec), full) if old is not None else compare(obj(), obj(spec), full)
    carried = {"managedFields": old["metadata"].get("managedFields", [])} if old else {}
    server.update(obj(spec, **carried), "fresh")
    assert server.owned("fresh") == sorted(render_path(p) for p in change.changed.difference(UNTRACKED))
    assert server.live is not None
    for entry in decode(server.live["metadata"]["managedFields"]):
        if entry.manager != "fresh":
            assert not entry.fields.intersection(change.changed)
            assert not entry.fields.intersection(change.removed)
