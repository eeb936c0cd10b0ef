"""Manifests: every kind of workload, and all that is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from lateen.injection.manifests import ManifestError, inject_manifests
from lateen.injection.workload import Workload

_SPEC = {"containers": [{"name": "a", "image": "b"}]}


def _marked(pod: Mapping[str, Any], workload: Workload, namespace: str) -> Mapping[str, Any]:
    text = f"{workload.kind}/{workload.name}/{workload.api_version}/{namespace}"
    return {**pod, "metadata": {**(pod.get("metadata") or {}), "annotations": {"of": text}}}


@pytest.mark.parametrize(
    ("kind", "version", "spec", "place"),
    [
        ("Deployment", "apps/v1", {"template": {"spec": _SPEC}}, ("spec", "template")),
        ("StatefulSet", "apps/v1", {"template": {"spec": _SPEC}}, ("spec", "template")),
        ("DaemonSet", "apps/v1", {"template": {"spec": _SPEC}}, ("spec", "template")),
        ("ReplicaSet", "apps/v1", {"template": {"spec": _SPEC}}, ("spec", "template")),
        ("Job", "batch/v1", {"template": {"spec": _SPEC}}, ("spec", "template")),
        ("ReplicationController", "v1", {"template": {"spec": _SPEC}}, ("spec", "template")),
        ("CronJob", "batch/v1", {"jobTemplate": {"spec": {"template": {"spec": _SPEC}}}},
         ("spec", "jobTemplate", "spec", "template")),
        ("Pod", "v1", _SPEC, ()),
    ],
)  # fmt: skip
def test_every_kind(kind: str, version: str, spec: dict[str, Any], place: tuple[str, ...]) -> None:
    given = {"apiVersion": version, "kind": kind, "metadata": {"name": "w", "namespace": "n"}, "spec": spec}
    found = yaml.safe_load(inject_manifests(yaml.safe_dump(given), _marked))
    pod = found
    for name in place:
        pod = pod[name]
    assert pod["metadata"]["annotations"]["of"] == f"{kind}/w/{version}/n"
    assert pod["spec"] == _SPEC


_TEXT = """\
# of the file
apiVersion: v1
kind: Service   # of the line
metadata: {name: a}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
- {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: []}}
--- # between
# the end
"""


def test_documents_without_pods_stay_as_they_are() -> None:
    found = inject_manifests(_TEXT, _marked)
    assert found.startswith("# of the file\napiVersion: v1\nkind: Service   # of the line\n")
    assert found.endswith("---\n# the end\n")
    (_, items, _) = yaml.safe_load_all(found)
    assert items["items"][0] == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    assert items["items"][1]["metadata"]["annotations"]["of"] == "Pod/p/v1/"


def test_nothing_changes_where_no_pod_is_injected() -> None:
    assert inject_manifests(_TEXT, lambda pod, workload, namespace: None) == _TEXT.replace("--- # between", "---")


def test_kinds_of_others_of_the_same_name_are_let_be() -> None:
    text = "apiVersion: example.com/v1\nkind: Deployment\nspec: {template: {spec: {}}}\n"
    assert inject_manifests(text, _marked) == text


def test_json_is_taken() -> None:
    given = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": []}}'
    assert yaml.safe_load(inject_manifests(given, _marked))["metadata"]["annotations"]["of"] == "Pod/p/v1/"


def test_text_of_several_lines_stays_readable() -> None:
    given = yaml.safe_dump(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"args": ["a\nb\n"]}]}}
    )
    assert "|\n" in inject_manifests(given, _marked)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\n---\nb: [\n", "the document at line 3: not YAML"),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\n",
            "Deployment w: spec.template.spec is required",
        ),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: w}\nspec: 1\n", "Pod w: spec is required"),
    ],
)
def test_what_cannot_be_injected_is_said(text: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        inject_manifests(text, _marked)
