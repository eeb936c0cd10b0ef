"""Strategic merge of pods: Kubernetes' rules, by cases."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.injection.strategic_merge import BadPatch, merged


def _spec(**spec: Any) -> dict[str, Any]:
    return {"spec": spec}


@pytest.mark.parametrize(
    ("base", "patch", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": None, "c": 3}, {"b": 2, "c": 3}),
        ({"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
        ({"a": {"x": 1}}, {"a": {"$patch": "replace", "y": 2}}, {"a": {"y": 2}}),
        ({"a": {"x": 1}}, {"a": {"$patch": "delete"}}, {"a": {}}),
        (
            _spec(containers=[{"name": "a", "image": "1"}, {"name": "b"}]),
            _spec(containers=[{"name": "c"}, {"name": "a", "args": ["x"]}]),
            _spec(containers=[{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}, {"name": "c"}]),
        ),
        (
            _spec(containers=[{"name": "a"}, {"name": "b"}]),
            _spec(containers=[{"name": "a", "$patch": "delete"}]),
            _spec(containers=[{"name": "b"}]),
        ),
        (
            _spec(containers=[{"name": "a"}]),
            _spec(containers=[{"$patch": "replace"}, {"name": "b"}]),
            _spec(containers=[{"name": "b"}]),
        ),
        ({"args": ["a", "b"]}, {"args": ["c"]}, {"args": ["c"]}),
        (
            {"env": [{"name": "A", "value": "1"}]},
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
        ),
        (
            {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
            {"volumes": [{"name": "v", "emptyDir": {}}]},
            {"volumes": [{"name": "v", "emptyDir": {}}]},
        ),
        (
            {"volumeMounts": [{"mountPath": "/a", "name": "x"}]},
            {"volumeMounts": [{"mountPath": "/a", "name": "y"}, {"mountPath": "/b", "name": "x"}]},
            {"volumeMounts": [{"mountPath": "/a", "name": "y"}, {"mountPath": "/b", "name": "x"}]},
        ),
        (
            {"ports": [{"containerPort": 80, "name": "http"}]},
            {"ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 81}]},
            {"ports": [{"containerPort": 80, "name": "http", "protocol": "TCP"}, {"containerPort": 81}]},
        ),
        ({"finalizers": ["a"]}, {"finalizers": ["b", "a"]}, {"finalizers": ["a", "b"]}),
        ({"capabilities": {"add": ["A"]}}, {"capabilities": {"add": ["B"]}}, {"capabilities": {"add": ["B"]}}),
    ],
)
def test_cases(base: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    assert merged(base, patch) == expected


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (_spec(containers=[{"image": "x"}]), r"spec.containers\[0\].name: is required"),
        ({"a": {"$patch": "explode"}}, "a: \\$patch is 'explode'"),
        ({"$deleteFromPrimitiveList/a": []}, "not supported"),
    ],
)
def test_patches_that_cannot_be_applied(patch: dict[str, Any], words: str) -> None:
    with pytest.raises(BadPatch, match=words):
        merged({}, patch)
