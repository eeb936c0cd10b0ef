from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.crd.json_path import JsonPath

OBJ: dict[str, Any] = {
    "metadata": {"labels": {"app.io/x": "v"}},
    "spec": {"replicas": 3, "hosts": ["a", "b"]},
    "status": {"conditions": [{"type": "Ready", "status": "True", "n": 2}, {"type": "Other", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.replicas", [3]),
        ("{.spec.replicas}", [3]),
        ("$.spec.hosts[0]", ["a"]),
        (".spec.hosts[-1]", ["b"]),
        (".spec.hosts[*]", ["a", "b"]),
        (".spec.hosts[7]", []),
        (".spec.nothing.at.all", []),
        (r".metadata.labels.app\.io/x", ["v"]),
        (".metadata.labels['app.io/x']", ["v"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type == 'Other')].status", ["False"]),
        ('.status.conditions[?(@.type!="Ready")].type', ["Other"]),
        (".status.conditions[?(@.n>1)].type", ["Ready"]),
        (".status.conditions[?(@.n)].type", ["Ready"]),
        (".spec.replicas.deeper", []),
    ],
)
def test_paths(path: str, found: list[Any]) -> None:
    assert JsonPath(path).find(OBJ) == found


@pytest.mark.parametrize("path", ["spec", ".spec[", ".a[?(@.x==unquoted)]", "." * 5000, ".a..b", "[x]"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValueError):
        JsonPath(path)


def test_the_first_value() -> None:
    assert JsonPath(".spec.hosts[*]").first(OBJ) == "a"
    assert JsonPath(".nothing").first(OBJ) is None
