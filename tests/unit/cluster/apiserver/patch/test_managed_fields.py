from __future__ import annotations

import pytest

from lateen.cluster.apiserver.patch.field_set import FieldSet
from lateen.cluster.apiserver.patch.managed_fields import (
    ANCIENT,
    APPLY,
    MAX_UPDATE_MANAGERS,
    UPDATE,
    Entry,
    Managers,
    decode,
    of_update,
    same_but_for_times,
)

A = FieldSet.of(("f:a",))
B = FieldSet.of(("f:b",))


def entry(manager: str, operation: str = UPDATE, version: str = "v1", at: str = "t", fields: FieldSet = A) -> Entry:
    return Entry(manager, operation, version, "", at, fields)


def test_roundtrip() -> None:
    managers = Managers([entry("m"), Entry("k", APPLY, "apps/v1", "status", "t1", B)])
    encoded = managers.encode()
    assert encoded[0] == {
        "manager": "k",
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "time": "t1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:b": {}},
        "subresource": "status",
    }
    assert decode(encoded).encode() == encoded


def test_an_applier_has_one_entry_whatever_its_version() -> None:
    managers = Managers([entry("m", APPLY, "v1")]).with_entry(entry("m", APPLY, "v2", fields=B))
    assert [e["apiVersion"] for e in managers.encode()] == ["v2"]
    assert len(list(Managers([entry("m", UPDATE, "v1"), entry("m", UPDATE, "v2")]))) == 2


def test_entries_without_fields_go() -> None:
    assert not Managers([entry("m")]).without(A, recursive=False)
    assert Managers([entry("m")]).without(A, recursive=False, keeping=entry("m").id)


def test_the_oldest_updates_are_joined_and_appliers_are_not() -> None:
    many = [entry(f"m{i:02}", at=f"t{i:02}", fields=FieldSet.of((f"f:{i}",))) for i in range(MAX_UPDATE_MANAGERS + 3)]
    capped = Managers([*many, entry("applier", APPLY, at="t")]).capped()
    updates = [e for e in capped if e.operation == UPDATE]
    assert len(updates) == MAX_UPDATE_MANAGERS
    ancient = next(e for e in updates if e.manager == ANCIENT)
    assert set(ancient.fields) == {(f"f:{i}",) for i in range(4)}
    assert any(e.manager == "applier" for e in capped)


def test_users_may_edit_and_reset_managers() -> None:
    live = {"metadata": {"managedFields": Managers([entry("old")]).encode()}}
    given = {"metadata": {"managedFields": Managers([entry("new")]).encode()}}
    assert [e.manager for e in of_update(live, given, "")] == ["new"]
    assert not of_update(live, {"metadata": {"managedFields": [{}]}}, "")
    assert [e.manager for e in of_update(live, {"metadata": {}}, "")] == ["old"]
    assert [e.manager for e in of_update(live, {"metadata": {"managedFields": [{"operation": "?"}]}}, "")] == ["old"]
    assert [e.manager for e in of_update(live, given, "status")] == ["old"]


@pytest.mark.parametrize("bad", [[1], [{"operation": "x"}], [{"operation": "Apply", "fieldsType": "V0"}]])
def test_refuses_what_is_no_entry(bad: list[object]) -> None:
    with pytest.raises(ValueError):
        decode(bad)


def test_times_alone_make_no_difference() -> None:
    a, b = Managers([entry("m", at="1")]).encode(), Managers([entry("m", at="2")]).encode()
    assert same_but_for_times(a, b)
    assert not same_but_for_times(a, Managers([entry("m", fields=B)]).encode())
