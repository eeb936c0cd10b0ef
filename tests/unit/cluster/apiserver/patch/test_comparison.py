from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.patch.comparison import compare
from lateen.cluster.apiserver.patch.field_set import FieldSet, render_path
from lateen.cluster.apiserver.schema.schema import Schema


def shown(fields: FieldSet) -> list[str]:
    return [render_path(path) for path in fields]


@pytest.mark.parametrize(
    ("old", "new", "added", "modified", "removed"),
    [
        ({"replicas": 1}, {"replicas": 2}, [], [".spec.replicas"], []),
        ({}, {"data": {"x": "1"}}, [".spec.data", ".spec.data.x"], [], []),
        ({"data": {"x": "1"}}, {"data": {}}, [], [], [".spec.data.x"]),
        ({"selector": {"a": "1"}}, {"selector": {"a": "2"}}, [], [".spec.selector"], []),
        ({"tags": ["a"]}, {"tags": ["b"]}, ['.spec.tags[="b"]'], [], ['.spec.tags[="a"]']),
        (
            {"containers": [{"name": "a", "args": ["1"]}]},
            {"containers": [{"name": "b"}, {"name": "a", "args": ["2"]}]},
            ['.spec.containers[name="b"]', '.spec.containers[name="b"].name'],
            ['.spec.containers[name="a"].args'],
            [],
        ),
        ({"open": {"l": [1], "b": True}}, {"open": {"l": [2], "b": 1}}, [], [".spec.open.b", ".spec.open.l"], []),
        ({"data": {}}, {}, [], [], [".spec.data"]),
    ],
)
def test_differences(widget: Schema, old: Any, new: Any, added: Any, modified: Any, removed: Any) -> None:
    found = compare({"spec": old}, {"spec": new}, widget)
    assert (shown(found.added), shown(found.modified), shown(found.removed)) == (added, modified, removed)


def test_duplicate_items_are_owned_as_one(widget: Schema) -> None:
    old = {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "a", "image": "2"}]}}
    new = {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "a", "image": "3"}]}}
    assert shown(compare(old, new, widget).modified) == ['.spec.containers[name="a"]']
