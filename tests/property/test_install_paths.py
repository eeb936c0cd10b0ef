"""The path language, and merges."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lateen.install.merge import merged
from lateen.install.paths import Index, Key, Match, Path, PathError, format_path, parse_path, set_at

_NAMES = st.text(min_size=1, max_size=8)
_STEPS = st.one_of(
    _NAMES.map(Key),
    st.integers(-1, 20).map(Index),
    st.builds(Match, st.text(max_size=6), st.text(max_size=6)),
)
_PATHS = st.builds(lambda first, rest: (Key(first), *rest), _NAMES, st.lists(_STEPS, max_size=5).map(tuple))
_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
_TREES: Any = st.dictionaries(st.sampled_from("abcd"), _VALUES, max_size=4)
_KEYS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3).map(lambda names: tuple(Key(name) for name in names))


@given(_PATHS)
def test_what_is_written_is_read_back(path: Path) -> None:
    assert parse_path(format_path(path)) == path


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        path = parse_path(text)
    except PathError:
        return
    assert parse_path(format_path(path)) == path


@given(_TREES, _KEYS, _VALUES)
def test_what_is_set_is_there_and_nothing_else_changes(tree: dict[str, Any], path: tuple[Key, ...], value: Any) -> None:
    before = deepcopy(tree)
    try:
        set_at(tree, path, value)
    except PathError:
        return
    here: Any = tree
    for step in path:
        here = here[step.name]
    assert here == value
    assert {k: v for k, v in tree.items() if k != path[0].name} == {
        k: v for k, v in before.items() if k != path[0].name
    }


@given(_TREES, _PATHS, _VALUES)
def test_any_path_is_set_or_refused(tree: dict[str, Any], path: Path, value: Any) -> None:
    with suppress(PathError):
        set_at(tree, path, value)


@given(_TREES)
def test_a_merge_with_itself_or_nothing_is_itself(tree: dict[str, Any]) -> None:
    assert merged(tree, tree) == tree
    assert merged(tree, {}) == tree
    assert merged({}, tree) == tree


@given(_TREES, _TREES)
def test_what_is_above_counts_and_nothing_is_lost(below: dict[str, Any], above: dict[str, Any]) -> None:
    copies = deepcopy((below, above))
    found = merged(below, above)
    assert (below, above) == copies
    assert found.keys() == below.keys() | above.keys()
    for key in below.keys() - above.keys():
        assert found[key] == below[key]
    for key, value in above.items():
        if not (isinstance(value, dict) and isinstance(below.get(key), dict)):
            assert found[key] == value
    assert merged(found, above) == found
