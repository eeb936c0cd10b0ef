from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.apiserver.patch.field_set import (
    EMPTY,
    FieldSet,
    field_element,
    key_element,
    render_path,
    value_element,
)

elements = st.one_of(
    st.sampled_from(["a", "b", "."]).map(field_element),
    st.dictionaries(st.sampled_from(["name", "port"]), st.integers(0, 2) | st.just("x"), min_size=1).map(key_element),
    (st.integers(0, 2) | st.text(max_size=2) | st.booleans()).map(value_element),
    st.integers(0, 3).map(lambda i: f"i:{i}"),
)
paths = st.lists(elements, min_size=1, max_size=3).map(tuple)
sets = st.lists(paths, max_size=8).map(lambda p: FieldSet.of(*p))


@given(sets)
def test_decoding_reverses_encoding(fields: FieldSet) -> None:
    assert FieldSet.decode(json.loads(json.dumps(fields.encode()))) == fields


@given(st.lists(paths, max_size=8))
def test_iterates_its_paths_once(listed: list[tuple[str, ...]]) -> None:
    fields = FieldSet.of(*listed)
    assert sorted(fields) == sorted(set(listed))
    assert all(path in fields for path in listed)


@given(sets, sets, sets)
def test_algebra(a: FieldSet, b: FieldSet, c: FieldSet) -> None:
    assert set(a.union(b)) == set(a) | set(b)
    assert set(a.intersection(b)) == set(a) & set(b)
    assert set(a.difference(b)) == set(a) - set(b)
    assert a.union(b) == b.union(a)
    assert a.union(b.union(c)) == a.union(b).union(c)
    assert a.difference(b).union(a.intersection(b)) == a
    assert not a.difference(a)
    assert a.union(EMPTY) == a


@given(sets, sets)
def test_recursive_difference_takes_what_is_below_too(a: FieldSet, b: FieldSet) -> None:
    gone = set(b)
    assert set(a.recursive_difference(b)) == {p for p in a if not any(p[:n] in gone for n in range(1, len(p) + 1))}


def test_reads_what_kubernetes_writes() -> None:
    fields = FieldSet.decode(
        {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"nginx"}': {".": {}, "f:image": {}, "f:ports": {'k:{"protocol":"TCP","port":80}': {}}}
                }
            },
            "f:metadata": {"f:finalizers": {'v:"a"': {}}},
        }
    )
    assert [render_path(p) for p in fields] == [
        '.metadata.finalizers[="a"]',
        '.spec.containers[name="nginx"]',
        '.spec.containers[name="nginx"].image',
        '.spec.containers[name="nginx"].ports[port=80,protocol="TCP"]',
    ]


@pytest.mark.parametrize("fields", [{"x:a": {}}, {"k:[]": {}}, {"v:{": {}}, {"i:a": {}}, [], {"f:a": []}])
def test_refuses_what_is_no_set(fields: object) -> None:
    with pytest.raises(ValueError):
        FieldSet.decode(fields)


def test_refuses_bottomless_nesting() -> None:
    fields: dict[str, object] = {}
    for _ in range(500):
        fields = {"f:a": fields}
    with pytest.raises(ValueError):
        FieldSet.decode(fields)
