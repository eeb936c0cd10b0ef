"""The `kubernetes` package's dynamic client, its YAML loader, and custom resources."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError, ResourceNotFoundError, UnprocessibleEntityError

pytestmark = pytest.mark.cluster


@pytest.fixture
def dynamic(api: client.ApiClient, tmp_path: Path) -> DynamicClient:
    return DynamicClient(api, cache_file=str(tmp_path / "discovery.json"))


@pytest.fixture
def sail_group(api: client.ApiClient) -> Iterator[str]:
    """The group of a custom resource `sails`, which has a status and a scale."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    properties = {
        "spec": {
            "type": "object",
            "required": ["area"],
            "properties": {
                "area": {"type": "integer", "minimum": 1},
                "replicas": {"type": "integer", "default": 2},
                "cloth": {"type": "string", "enum": ["canvas", "hemp"]},
            },
            "x-kubernetes-validations": [{"rule": "self.area < 100", "message": "too much sail"}],
        },
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "set": {"type": "boolean"}}},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
    }
    extensions = client.ApiextensionsV1Api(api)
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"sails.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "sails", "kind": "Sail", "shortNames": ["sl"]},
            "versions": [version],
        },
    }
    extensions.create_custom_resource_definition(body)
    watcher = watch.Watch()
    for event in watcher.stream(
        extensions.list_custom_resource_definition, field_selector=f"metadata.name=sails.{group}", timeout_seconds=30
    ):
        conditions = event["object"].status.conditions if event["object"].status else None
        if any(found.type == "Established" and found.status == "True" for found in conditions or []):
            watcher.stop()
    yield group
    extensions.delete_custom_resource_definition(f"sails.{group}")


def test_discovery_and_server_side_apply(dynamic: DynamicClient, namespace: str) -> None:
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    assert (deployments.name, deployments.namespaced, deployments.short_names) == ("deployments", True, ["deploy"])
    assert "HorizontalPodAutoscaler" in {found.kind for found in dynamic.resources.search(short_names=["hpa"])}
    with pytest.raises(ResourceNotFoundError):
        dynamic.resources.get(api_version="absent.example.com/v1", kind="Nothing")

    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")

    def apply(manager: str, data: dict[str, str], **options: Any) -> Any:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}, "data": data}
        return dynamic.server_side_apply(
            maps, body=body, name="shared", namespace=namespace, field_manager=manager, **options
        )

    apply("one", {"a": "1", "b": "1"})
    with pytest.raises(ConflictError) as raised:
        apply("two", {"a": "2"})
    assert 'conflict with "one": .data.a' in raised.value.summary()
    assert apply("two", {"a": "2"}, force_conflicts=True).data.to_dict() == {"a": "2", "b": "1"}
    assert apply("one", {}).data.to_dict() == {"a": "2"}, "what one no longer says is gone"
    with pytest.raises(NotFoundError):
        maps.get(name="none", namespace=namespace)
    assert [item.metadata.name for item in maps.get(namespace=namespace, label_selector="none=x").items] == []


def test_manifests_of_several_documents_are_created(api: client.ApiClient, namespace: str, tmp_path: Path) -> None:
    manifest = tmp_path / "app.yaml"
    manifest.write_text(
        """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: lateen.dev/echo}]}
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {k: v}}
"""
    )
    utils.create_from_yaml(api, str(manifest), namespace=namespace)
    assert client.AppsV1Api(api).read_namespaced_deployment("web", namespace).spec.replicas == 0
    assert client.CoreV1Api(api).read_namespaced_service("web", namespace).spec.cluster_ip
    with pytest.raises(utils.FailToCreateError) as raised:
        utils.create_from_yaml(api, str(manifest), namespace=namespace)
    assert {failure.reason for failure in raised.value.api_exceptions} == {"Conflict"}


def test_custom_objects_with_status_and_scale(
    api: client.ApiClient, dynamic: DynamicClient, namespace: str, sail_group: str
) -> None:
    custom = client.CustomObjectsApi(api)
    where = (sail_group, "v1", namespace, "sails")
    body = {"apiVersion": f"{sail_group}/v1", "kind": "Sail", "metadata": {"name": "main"}, "spec": {"area": 40}}
    created = custom.create_namespaced_custom_object(*where, body)
    assert created["spec"] == {"area": 40, "replicas": 2}
    for spec, message in (({"area": 200}, "too much sail"), ({}, "Required value"), ({"area": "x"}, "must be of type")):
        with pytest.raises(ApiException) as raised:
            custom.create_namespaced_custom_object(*where, {**body, "metadata": {"name": "bad"}, "spec": spec})
        assert raised.value.status == 422
        assert message in raised.value.body
    status = custom.patch_namespaced_custom_object_status(
        *where, "main", {"status": {"set": True}, "spec": {"area": 1}}
    )
    assert (status["status"], status["spec"]["area"]) == ({"set": True}, 40)
    scale = custom.patch_namespaced_custom_object_scale(*where, "main", {"spec": {"replicas": 5}})
    assert scale["kind"] == "Scale"
    assert custom.get_namespaced_custom_object(*where, "main")["spec"]["replicas"] == 5
    watcher = watch.Watch()
    for event in watcher.stream(custom.list_namespaced_custom_object, *where, timeout_seconds=30):
        assert (event["type"], event["object"]["spec"]["replicas"]) == ("ADDED", 5)
        watcher.stop()

    sails = dynamic.resources.get(api_version=f"{sail_group}/v1", kind="Sail")
    with pytest.raises(UnprocessibleEntityError):
        sails.patch(
            name="main",
            namespace=namespace,
            body={"spec": {"cloth": "silk"}},
            content_type="application/merge-patch+json",
        )
    assert sails.status.get(name="main", namespace=namespace).status.set is True
    custom.delete_namespaced_custom_object(*where, "main")
    assert sails.get(namespace=namespace).items == []
