from __future__ import annotations

from lateen.cluster.apiserver.patch.field_set import render_path
from lateen.cluster.apiserver.patch.object_fields import fields_of, structural_faults
from lateen.cluster.apiserver.schema.schema import Schema


def test_leaves_keys_and_items_are_owned(widget: Schema) -> None:
    obj = {
        "spec": {
            "replicas": 1,
            "selector": {"a": "b"},
            "data": {"x": "1"},
            "strategy": {},
            "containers": [{"name": "a", "args": ["x"], "ports": [{"port": 80}]}],
            "tags": ["t"],
        }
    }
    assert [render_path(p) for p in fields_of(obj, widget)] == [
        '.spec.containers[name="a"]',
        '.spec.containers[name="a"].args',
        '.spec.containers[name="a"].name',
        '.spec.containers[name="a"].ports[port=80,protocol="TCP"]',
        '.spec.containers[name="a"].ports[port=80,protocol="TCP"].port',
        ".spec.data.x",
        ".spec.replicas",
        ".spec.selector",
        ".spec.strategy",
        '.spec.tags[="t"]',
    ]


def test_faults(widget: Schema) -> None:
    obj = {
        "spec": {
            "replica": 1,
            "open": {"any": {"thing": 1}},
            "containers": [{"image": "x"}, {"name": "a"}, {"name": "a", "typo": 1}],
            "data": [],
        }
    }
    assert structural_faults(obj, widget) == [
        ".spec.replica: field not declared in schema",
        '.spec.containers: element 0: associative list with keys has an element that omits key field "name" '
        "(and doesn't have default value)",
        '.spec.containers: duplicate entries for key [name="a"]',
        '.spec.containers[name="a"].typo: field not declared in schema',
        ".spec.data: expected map, got list",
    ]
