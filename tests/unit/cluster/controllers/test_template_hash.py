from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.controllers.template_hash import canonical, template_hash

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_a_hash_looks_as_kubernetes_makes_them(value: object) -> None:
    hashed = template_hash(value)
    assert 1 <= len(hashed) <= 10
    assert set(hashed) <= set("456789bcdf")
    assert template_hash(turned(value)) == hashed


def turned(value: Any) -> Any:
    """The same value with its members in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(inner) for key, inner in reversed(value.items())}
    return [turned(inner) for inner in value] if isinstance(value, list) else value


def test_collisions_and_the_order_of_members() -> None:
    assert template_hash({"a": 1, "b": 2}) == template_hash({"b": 2, "a": 1})
    assert template_hash({"a": 1}) != template_hash({"a": 2})
    assert template_hash({"a": 1}) != template_hash({"a": 1}, 1)
    assert canonical({"a": None, "b": {}, "c": [], "podSelector": {}}) == {"podSelector": {}}
