"""The law of watches: a list at a revision, with the events after it applied, is the list at the later revision."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lateen.cluster.apiserver.store.event import DELETED
from lateen.cluster.apiserver.store.store import Bounds, Snapshot, Store
from lateen.cluster.apiserver.store.watch import Watch
from lateen.cluster.objects import Key, Obj, key_of
from lateen.cluster.status import StatusError

MAPS = ("", "configmaps")

steps = st.lists(
    st.tuples(
        st.sampled_from(["create", "update", "delete", "list", "reopen"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["x", "y"]),
    ),
    max_size=40,
)


def by_key(snapshot: Snapshot) -> dict[Key, Obj]:
    return {key_of(obj): obj for obj in snapshot.items}


def drain(watch: Watch, state: dict[Key, Obj]) -> dict[Key, Obj]:
    found = dict(state)
    with watch:
        while (event := watch.take()) is not None:
            if event.type == DELETED:
                del found[event.key]
            else:
                assert (event.type == "ADDED") is (event.key not in found)
                found[event.key] = event.obj
    return found


async def check(directory: Path, actions: list[tuple[str, str, str]], history: int) -> None:
    bounds = Bounds(history_events=history, decoded_objects=2)
    store = await Store.open(directory / "state.db", bounds)
    lists: list[tuple[int, dict[Key, Obj]]] = [(0, {})]
    live: list[tuple[Watch, dict[Key, Obj]]] = []
    for number, (action, name, namespace) in enumerate(actions):
        obj = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": {"n": str(number)},
        }
        try:
            match action:
                case "create":
                    await store.create(MAPS, obj)
                case "update":
                    await store.update(MAPS, obj, None)
                case "delete":
                    await store.delete(MAPS, Key(namespace, name), None)
                case "list":
                    lists.append((store.revision, by_key(store.list(MAPS))))
                    live.append((store.watch(MAPS), lists[-1][1]))
                case _:
                    await store.close()
                    store = await Store.open(directory / "state.db", bounds)
                    live.clear()
        except StatusError as error:
            if error.reason not in ("AlreadyExists", "NotFound"):
                raise
    now = by_key(store.list(MAPS))
    for watch, state in live:
        assert drain(watch, state) == now
    for revision, state in lists:
        try:
            watch = store.watch(MAPS, since=revision)
        except StatusError as error:
            if error.code != 410 or revision >= store.compacted:
                raise
            continue
        assert drain(watch, state) == now
        assert by_key(store.list_at(MAPS, "", revision)) == state
        in_x = {key: obj for key, obj in state.items() if key.namespace == "x"}
        assert by_key(store.list_at(MAPS, "x", revision)) == in_x
    await store.close()


@settings(max_examples=60, deadline=None)
@given(steps, st.sampled_from([1, 3, 1000]))
def test_events_lead_from_any_list_to_the_present(actions: list[tuple[str, str, str]], history: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(check(Path(directory), actions, history))
