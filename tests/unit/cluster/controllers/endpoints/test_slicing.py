from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.controllers.endpoints.members import Member, Port
from lateen.cluster.controllers.endpoints.slicing import MAX_ENDPOINTS, reconcile

META = {"generateName": "svc-", "namespace": "ns", "labels": {"a": "b"}}
PORTS = ((Port("http", "TCP", 80, ""),), (Port("http", "TCP", 8080, "h2c"),))


def member(number: int, ports: int = 0, ready: bool = True) -> Member:
    endpoint = {"addresses": [f"10.0.{number >> 8}.{number & 255}"], "conditions": {"ready": ready}}
    return Member("IPv4", PORTS[ports], {**endpoint, "targetRef": {"uid": str(number)}})


def carry_out(present: list[dict[str, Any]], members: list[Member], names: Any) -> list[dict[str, Any]]:
    changes = reconcile(META, present, members, ["IPv4"])
    gone = {s["metadata"]["name"] for s in changes.delete}
    updated = {s["metadata"]["name"]: s for s in changes.update}
    left = [updated.get(s["metadata"]["name"], s) for s in present if s["metadata"]["name"] not in gone]
    return left + [{**s, "metadata": {**s["metadata"], "name": next(names)}} for s in changes.create]


@given(st.lists(st.sets(st.tuples(st.integers(0, 400), st.integers(0, 1)), max_size=300), min_size=1, max_size=3))
def test_slices_hold_exactly_the_members_and_settle(rounds: list[set[tuple[int, int]]]) -> None:
    slices: list[dict[str, Any]] = []
    names = (str(n) for n in itertools.count())
    for wanted in rounds:
        members = [member(n, p) for n, p in dict(wanted).items()]
        slices = carry_out(slices, members, names)
        held = sorted(e["addresses"][0] for s in slices for e in s["endpoints"])
        assert held == sorted(m.endpoint["addresses"][0] for m in members)
        assert all(len(s["endpoints"]) <= MAX_ENDPOINTS for s in slices)
        assert slices, "a Service without endpoints has one empty slice"
        again = reconcile(META, slices, members, ["IPv4"])
        assert not any((again.create, again.update, again.delete))


def test_one_change_writes_one_slice() -> None:
    members = [member(n) for n in range(250)]
    slices = carry_out([], members, (str(n) for n in itertools.count()))
    assert [len(s["endpoints"]) for s in slices] == [100, 100, 50]
    members[120] = member(120, ready=False)
    changes = reconcile(META, slices, members, ["IPv4"])
    assert (len(changes.create), len(changes.update), len(changes.delete)) == (0, 1, 0)


def test_ports_are_in_the_slice() -> None:
    created = reconcile(META, [], [member(1, 1)], ["IPv4"]).create
    assert created[0]["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080, "appProtocol": "h2c"}]
