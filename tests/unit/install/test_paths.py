"""The path language of `--set` and overlays."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.install.paths import Index, Key, Match, PathError, delete_at, format_path, parse_path, set_at


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", (Key("a"),)),
        ("a.b.c", (Key("a"), Key("b"), Key("c"))),
        ("a[0].b", (Key("a"), Index(0), Key("b"))),
        ("a.[0].b", (Key("a"), Index(0), Key("b"))),
        ("a[-1]", (Key("a"), Index(-1))),
        ("a.[name:x].b", (Key("a"), Match("name", "x"), Key("b"))),
        ("a[:--flag=1]", (Key("a"), Match("", "--flag=1"))),
        (r"nodeSelector.kubernetes\.io/os", (Key("nodeSelector"), Key("kubernetes.io/os"))),
        (r"a.[image:x\]y:1]", (Key("a"), Match("image", "x]y:1"))),
        ("a[0][1]", (Key("a"), Index(0), Index(1))),
    ],
)
def test_reads(text: str, steps: tuple[Any, ...]) -> None:
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("a..b", "empty key"),
        (".a", "empty key"),
        ("a.", "ends in a dot"),
        ("a[0", "is not closed"),
        ("a[x]", "expected a number"),
        ("a[-2]", "expected a number"),
        ("a[0]b", "expected a dot or a bracket"),
        ("a\\", "ends in a backslash"),
        ("x" * 5000, "more than 4096"),
    ],
)
def test_refuses(text: str, why: str) -> None:
    with pytest.raises(PathError, match=why):
        parse_path(text)


@pytest.mark.parametrize(
    ("tree", "path", "value", "after"),
    [
        ({}, "a.b", 1, {"a": {"b": 1}}),
        ({"a": {"c": 2}}, "a.b", 1, {"a": {"c": 2, "b": 1}}),
        ({"a": [1, 2]}, "a[1]", 9, {"a": [1, 9]}),
        ({"a": [1]}, "a[-1]", 9, {"a": [1, 9]}),
        ({"a": [1]}, "a[1]", 9, {"a": [1, 9]}),
        ({}, "a[0].b", 9, {"a": [{"b": 9}]}),
        ({"a": [{"name": "x"}]}, "a[name:x].b", 9, {"a": [{"name": "x", "b": 9}]}),
        ({"a": [{"name": "x"}]}, "a[name:y].b", 9, {"a": [{"name": "x"}, {"name": "y", "b": 9}]}),
        ({"a": [{"port": 80}]}, "a[port:80].b", 9, {"a": [{"port": 80, "b": 9}]}),
        ({"a": ["x", "y"]}, "a[:y]", "z", {"a": ["x", "z"]}),
        ({"a": None}, "a.b", 1, {"a": {"b": 1}}),
    ],
)
def test_sets(tree: dict[str, Any], path: str, value: Any, after: Any) -> None:
    set_at(tree, parse_path(path), value)
    assert tree == after


@pytest.mark.parametrize(
    ("tree", "path", "why"),
    [
        ({"a": 1}, "a.b", "expected a mapping around b, found 1"),
        ({"a": {}}, "a[0]", "expected a list around .0., found a mapping"),
        ({"a": [1]}, "a[3]", "the list has 1 items"),
        ({"a": ["x"]}, "a[:y].b", "there is no such item"),
    ],
)
def test_does_not_set(tree: dict[str, Any], path: str, why: str) -> None:
    with pytest.raises(PathError, match=why):
        set_at(tree, parse_path(path), 1)


def test_an_overlay_makes_no_items() -> None:
    with pytest.raises(PathError, match=r"a\.b: there is nothing"):
        set_at({"a": {}}, parse_path("a.b.c"), 1, create=False)
    with pytest.raises(PathError, match="there is no such item"):
        set_at({"a": [{"name": "x"}]}, parse_path("a[name:y]"), 1, create=False)


def test_deletes() -> None:
    tree = {"a": [{"name": "x", "b": 1}, {"name": "y"}], "c": {"d": 1}}
    delete_at(tree, parse_path("a[name:x].b"))
    delete_at(tree, parse_path("a[name:y]"))
    delete_at(tree, parse_path("c.d"))
    assert tree == {"a": [{"name": "x"}], "c": {}}
    for path in ("c.d", "a[name:y]", "a[-1]", "x.y"):
        with pytest.raises(PathError, match="there is n"):
            delete_at(tree, parse_path(path))


def test_is_written_as_it_is_read() -> None:
    assert format_path(parse_path(r"a.[0].b\.c[name:x].[-1]")) == r"a[0].b\.c[name:x][-1]"
