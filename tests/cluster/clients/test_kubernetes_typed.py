"""The `kubernetes` package's typed API: writes, lists, watches, patches and what goes wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

pytestmark = pytest.mark.cluster


def meta(name: str, **labels: str) -> client.V1ObjectMeta:
    return client.V1ObjectMeta(name=name, labels=labels or None)


def pod_template(app: str, *command: str) -> client.V1PodTemplateSpec:
    container = client.V1Container(name="main", image="busybox", command=list(command or ("sleep", "1000")))
    spec = client.V1PodSpec(containers=[container], termination_grace_period_seconds=0)
    return client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels={"app": app}), spec=spec)


def deployment(name: str, replicas: int) -> client.V1Deployment:
    selector = client.V1LabelSelector(match_labels={"app": name})
    spec = client.V1DeploymentSpec(replicas=replicas, selector=selector, template=pod_template(name))
    return client.V1Deployment(metadata=meta(name), spec=spec)


def refused(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> tuple[int, dict[str, Any]]:
    with pytest.raises(ApiException) as raised:
        call(*arguments, **keywords)
    assert raised.value.body
    return raised.value.status, json.loads(raised.value.body)


def replace(read: Callable[..., Any], write: Callable[..., Any], namespace: str) -> Any:
    """Reads, labels and writes `a`, again when a controller was quicker."""
    for _ in range(20):
        found = read("a", namespace)
        found.metadata.labels = {"touched": "yes"}
        try:
            return write("a", namespace, found)
        except ApiException as error:
            if error.status != 409:
                raise
    raise AssertionError("always in conflict")


def test_objects_of_many_kinds_are_created_read_replaced_and_deleted(api: client.ApiClient, namespace: str) -> None:
    core, apps, batch = client.CoreV1Api(api), client.AppsV1Api(api), client.BatchV1Api(api)
    rbac, net, policy = client.RbacAuthorizationV1Api(api), client.NetworkingV1Api(api), client.PolicyV1Api(api)
    scaling, leases = client.AutoscalingV2Api(api), client.CoordinationV1Api(api)
    selector = client.V1LabelSelector(match_labels={"app": "x"})
    port = client.V1ServiceBackendPort(number=80)
    backend = client.V1IngressBackend(service=client.V1IngressServiceBackend(name="a", port=port))
    template = pod_template("job", "true")
    template.spec.restart_policy = "Never"
    job = client.V1JobSpec(template=template, suspend=True)
    target = client.V2CrossVersionObjectReference(api_version="apps/v1", kind="Deployment", name="a")
    stateful = client.V1StatefulSetSpec(service_name="a", replicas=0, selector=selector, template=pod_template("x"))
    claim = client.V1PersistentVolumeClaimSpec(
        access_modes=["ReadWriteOnce"],
        resources=client.V1VolumeResourceRequirements(requests={"storage": "1Gi"}),
        storage_class_name="none",
    )
    reference = client.V1RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name="a")
    wanted: list[tuple[Any, str, Any]] = [
        (core, "config_map", client.V1ConfigMap(metadata=meta("a"), data={"k": "v"})),
        (core, "secret", client.V1Secret(metadata=meta("a"), string_data={"k": "v"})),
        (core, "service_account", client.V1ServiceAccount(metadata=meta("a"))),
        (
            core,
            "service",
            client.V1Service(
                metadata=meta("a"), spec=client.V1ServiceSpec(ports=[client.V1ServicePort(port=80, target_port="web")])
            ),
        ),
        (core, "persistent_volume_claim", client.V1PersistentVolumeClaim(metadata=meta("a"), spec=claim)),
        (apps, "deployment", deployment("a", 0)),
        (apps, "stateful_set", client.V1StatefulSet(metadata=meta("a"), spec=stateful)),
        (batch, "job", client.V1Job(metadata=meta("a"), spec=job)),
        (
            batch,
            "cron_job",
            client.V1CronJob(
                metadata=meta("a"),
                spec=client.V1CronJobSpec(schedule="0 0 1 1 *", job_template=client.V1JobTemplateSpec(spec=job)),
            ),
        ),
        (
            rbac,
            "role",
            client.V1Role(
                metadata=meta("a"), rules=[client.V1PolicyRule(api_groups=[""], resources=["pods"], verbs=["get"])]
            ),
        ),
        (
            rbac,
            "role_binding",
            client.V1RoleBinding(
                metadata=meta("a"), role_ref=reference, subjects=[client.RbacV1Subject(kind="User", name="joe")]
            ),
        ),
        (net, "ingress", client.V1Ingress(metadata=meta("a"), spec=client.V1IngressSpec(default_backend=backend))),
        (
            net,
            "network_policy",
            client.V1NetworkPolicy(metadata=meta("a"), spec=client.V1NetworkPolicySpec(pod_selector=selector)),
        ),
        (
            policy,
            "pod_disruption_budget",
            client.V1PodDisruptionBudget(
                metadata=meta("a"), spec=client.V1PodDisruptionBudgetSpec(min_available="50%", selector=selector)
            ),
        ),
        (
            scaling,
            "horizontal_pod_autoscaler",
            client.V2HorizontalPodAutoscaler(
                metadata=meta("a"),
                spec=client.V2HorizontalPodAutoscalerSpec(max_replicas=3, scale_target_ref=target),
            ),
        ),
        (leases, "lease", client.V1Lease(metadata=meta("a"), spec=client.V1LeaseSpec(holder_identity="me"))),
    ]
    for group, kind, wanted_object in wanted:
        call = {verb: getattr(group, f"{verb}_namespaced_{kind}") for verb in ("create", "read", "replace", "delete")}
        created = call["create"](namespace, wanted_object)
        assert created.metadata.uid, kind
        replaced = replace(call["read"], call["replace"], namespace)
        assert replaced.metadata.labels == {"touched": "yes"}, kind
        code, status = refused(call["replace"], "a", namespace, {**api.sanitize_for_serialization(created)})
        assert (code, status["reason"]) == (409, "Conflict"), kind
        call["delete"]("a", namespace)


def test_errors_say_what_kubernetes_says(api: client.ApiClient, namespace: str) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=meta("a")))
    code, status = refused(core.create_namespaced_config_map, namespace, client.V1ConfigMap(metadata=meta("a")))
    assert (code, status["reason"], status["message"]) == (409, "AlreadyExists", 'configmaps "a" already exists')
    code, status = refused(core.read_namespaced_config_map, "none", namespace)
    assert (code, status["reason"], status["message"]) == (404, "NotFound", 'configmaps "none" not found')
    assert status["details"] == {"name": "none", "kind": "configmaps"}
    code, status = refused(core.create_namespaced_pod, namespace, {"metadata": {"name": "Bad_"}, "spec": {}})
    assert (code, status["reason"]) == (422, "Invalid")
    assert {cause["field"] for cause in status["details"]["causes"]} == {"metadata.name", "spec.containers"}
    code, status = refused(
        core.create_namespaced_config_map, namespace, {"metadata": {"name": "b"}, "dta": {}}, field_validation="Strict"
    )
    assert (code, status["reason"]) == (400, "BadRequest")
    assert 'unknown field "dta"' in status["message"]
    dry = core.create_namespaced_config_map(namespace, {"metadata": {"name": "dry"}}, dry_run="All")
    assert dry.metadata.uid
    assert refused(core.read_namespaced_config_map, "dry", namespace)[0] == 404


def test_lists_come_in_pages_and_watches_resume(api: client.ApiClient, namespace: str) -> None:
    core = client.CoreV1Api(api)
    for number in range(7):
        core.create_namespaced_config_map(
            namespace, client.V1ConfigMap(metadata=meta(f"page-{number}", parity="odd" if number % 2 else "even"))
        )
    names: list[str] = []
    token, pages = None, 0
    while pages == 0 or token:
        page = core.list_namespaced_config_map(namespace, label_selector="parity", limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        token, pages = page.metadata._continue, pages + 1
        if pages == 1:
            assert page.metadata.remaining_item_count is None, "a selector makes the rest unknown"
            core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=meta("page-later", parity="odd")))
    assert (names, pages) == ([f"page-{number}" for number in range(7)], 3)
    everything = core.list_namespaced_config_map(namespace, limit=1)
    assert everything.metadata.remaining_item_count == 8
    evens = core.list_namespaced_config_map(namespace, label_selector="parity in (even)")
    assert [item.metadata.name for item in evens.items] == ["page-0", "page-2", "page-4", "page-6"]
    one = core.list_namespaced_config_map(namespace, field_selector="metadata.name=page-3")
    assert len(one.items) == 1

    since = everything.metadata.resource_version
    core.patch_namespaced_config_map("page-0", namespace, {"data": {"k": "v"}})
    core.delete_namespaced_config_map("page-1", namespace)
    watcher = watch.Watch()
    seen = []
    for event in watcher.stream(
        core.list_namespaced_config_map, namespace, resource_version=since, label_selector="parity", timeout_seconds=30
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 2:
            watcher.stop()
    assert seen == [("MODIFIED", "page-0"), ("DELETED", "page-1")]
    core.delete_namespaced_config_map("page-2", namespace)
    resumed = [
        (event["type"], event["object"].metadata.name)
        for event in watch.Watch().stream(
            core.list_namespaced_config_map,
            namespace,
            resource_version=watcher.resource_version,
            label_selector="parity",
            timeout_seconds=1,
        )
    ]
    assert resumed == [("DELETED", "page-2")], "it goes on where it was and ends when asked to"
    listed = core.list_namespaced_config_map(namespace, resource_version="0", resource_version_match="NotOlderThan")
    assert int(listed.metadata.resource_version) >= int(since)


def test_every_content_type_of_patches(api: client.ApiClient, namespace: str) -> None:
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, deployment("web", 0))
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "busybox"}]}}}}
    patched = apps.patch_namespaced_deployment("web", namespace, sidecar)
    assert [c.name for c in patched.spec.template.spec.containers] == ["side", "main"], "merged by name"

    def patch(content_type: str, body: Any, **query: str) -> dict[str, Any]:
        # The generated methods choose a content type by themselves.
        return dict(
            api.call_api(
                f"/apis/apps/v1/namespaces/{namespace}/deployments/web",
                "PATCH",
                query_params=list(query.items()),
                header_params={"Content-Type": content_type, "Accept": "application/json"},
                body=body,
                response_type="object",
                auth_settings=["BearerToken"],
                _return_http_data_only=True,
            )
        )

    found = patch(
        "application/json-patch+json",
        [
            {"op": "test", "path": "/spec/template/spec/containers/0/name", "value": "side"},
            {"op": "remove", "path": "/spec/template/spec/containers/0"},
        ],
    )
    assert [c["name"] for c in found["spec"]["template"]["spec"]["containers"]] == ["main"]
    found = patch("application/merge-patch+json", {"metadata": {"annotations": {"a": "1", "b": None}}})
    annotations = found["metadata"]["annotations"]
    assert (annotations["a"], annotations.get("b")) == ("1", None)
    body = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    found = patch("application/strategic-merge-patch+json", body)
    assert found["spec"]["strategy"] == {"type": "Recreate"}
    applied = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}}
    with pytest.raises(ApiException) as raised:
        patch("application/apply-patch+yaml", applied, fieldManager="judge")
    assert raised.value.status == 409
    assert json.loads(raised.value.body)["details"]["causes"][0]["reason"] == "FieldManagerConflict"
    found = patch("application/apply-patch+yaml", applied, fieldManager="judge", force="true", dryRun="All")
    assert found["spec"]["replicas"] == 1
    assert apps.read_namespaced_deployment("web", namespace).spec.replicas == 0
    found = patch("application/apply-patch+yaml", applied, fieldManager="judge", force="true")
    assert {"manager": "judge", "operation": "Apply"}.items() <= found["metadata"]["managedFields"][0].items()
    core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=meta("c")))
    code, status = refused(core.patch_namespaced_config_map, "c", namespace, [{"op": "remove", "path": "/data/x"}])
    assert (code, status["reason"]) == (422, "Invalid")


def test_scaling_waiting_and_eviction(api: client.ApiClient, namespace: str) -> None:
    core, apps, policy = client.CoreV1Api(api), client.AppsV1Api(api), client.PolicyV1Api(api)
    apps.create_namespaced_deployment(namespace, deployment("web", 1))
    scaled = apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 2}})
    assert scaled.spec.replicas == 2
    watcher = watch.Watch()
    available = 0
    for event in watcher.stream(apps.list_namespaced_deployment, namespace, timeout_seconds=60):
        available = event["object"].status.available_replicas or 0
        if available == 2:
            watcher.stop()
    assert available == 2
    scale = apps.read_namespaced_deployment_scale("web", namespace)
    assert (scale.status.replicas, scale.status.selector) == (2, "app=web")
    pods = core.list_namespaced_pod(namespace, label_selector=scale.status.selector).items
    budget = client.V1PodDisruptionBudgetSpec(
        max_unavailable=0, selector=client.V1LabelSelector(match_labels={"app": "web"})
    )
    policy.create_namespaced_pod_disruption_budget(
        namespace, client.V1PodDisruptionBudget(metadata=meta("web"), spec=budget)
    )
    name = pods[0].metadata.name
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name=name, namespace=namespace))
    code, status = refused(core.create_namespaced_pod_eviction, name, namespace, eviction)
    assert (code, status["reason"]) == (429, "TooManyRequests")
    policy.delete_namespaced_pod_disruption_budget("web", namespace)
    core.create_namespaced_pod_eviction(name, namespace, eviction)
    scale.spec.replicas = 0
    scale.metadata.resource_version = None
    assert apps.replace_namespaced_deployment_scale("web", namespace, scale).spec.replicas == 0
    core.delete_collection_namespaced_pod(namespace, label_selector="app=web", grace_period_seconds=0)
