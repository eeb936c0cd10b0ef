from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, deep_copy

KindOf = Callable[[str, str], Kind]
_NOW = dt.datetime(2026, 1, 1, 0, 5, tzinfo=dt.UTC)


def _workload(**spec: Any) -> Obj:
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}
    return {
        "metadata": {"name": "web", "namespace": "default", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template, **spec},
    }


def _job(**spec: Any) -> Obj:
    job = _workload(**spec)
    del job["spec"]["selector"]
    job["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    return job


def _cron_job(**spec: Any) -> Obj:
    return {
        "metadata": {"name": "c"},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": _job()["spec"]}, **spec},
    }


@pytest.mark.parametrize(
    ("api_version", "kind", "obj", "expected"),
    [
        (
            "apps/v1",
            "Deployment",
            _workload(),
            {
                "replicas": 1,
                "revisionHistoryLimit": 10,
                "progressDeadlineSeconds": 600,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            },
        ),
        ("apps/v1", "Deployment", _workload(strategy={"type": "Recreate"}), {"strategy": {"type": "Recreate"}}),
        ("apps/v1", "ReplicaSet", _workload(), {"replicas": 1}),
        (
            "apps/v1",
            "StatefulSet",
            _workload(),
            {
                "replicas": 1,
                "podManagementPolicy": "OrderedReady",
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            },
        ),
        (
            "apps/v1",
            "DaemonSet",
            _workload(),
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}},
        ),
        (
            "batch/v1",
            "Job",
            _job(),
            {
                "completions": 1,
                "parallelism": 1,
                "backoffLimit": 6,
                "completionMode": "NonIndexed",
                "suspend": False,
                "podReplacementPolicy": "TerminatingOrFailed",
            },
        ),
        (
            "batch/v1",
            "CronJob",
            _cron_job(),
            {
                "concurrencyPolicy": "Allow",
                "suspend": False,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 1,
            },
        ),
    ],
)
def test_defaults(kind_of: KindOf, ctx: Context, api_version: str, kind: str, obj: Obj, expected: Obj) -> None:
    behaviour = kind_of(api_version, kind)
    obj = deep_copy(obj)
    behaviour.default(obj)
    assert {key: obj["spec"][key] for key in expected} == expected
    behaviour.prepare_create(obj, ctx)
    assert not behaviour.validate_create(obj, ctx)
    assert obj["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("api_version", "kind", "obj", "field", "message"),
    [
        (
            "apps/v1",
            "Deployment",
            _workload(selector={"matchLabels": {"app": "y"}}),
            "spec.template.metadata.labels",
            "`selector` does not match template `labels`",
        ),
        ("apps/v1", "Deployment", _workload(selector={}), "spec.selector", "empty selector is invalid for deployment"),
        ("apps/v1", "Deployment", _workload(replicas=-1), "spec.replicas", "must be greater than or equal to 0"),
        (
            "apps/v1",
            "Deployment",
            _workload(strategy={"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "0%"}}),
            "spec.strategy.rollingUpdate.maxUnavailable",
            "may not be 0 when `maxSurge` is 0",
        ),
        (
            "apps/v1",
            "Deployment",
            _workload(minReadySeconds=600),
            "spec.progressDeadlineSeconds",
            "must be greater than minReadySeconds",
        ),
        (
            "apps/v1",
            "StatefulSet",
            _workload(podManagementPolicy="Odd"),
            "spec.podManagementPolicy",
            "must be 'OrderedReady' or 'Parallel'",
        ),
        (
            "apps/v1",
            "DaemonSet",
            _workload(updateStrategy={"type": "Odd"}),
            "spec.updateStrategy.type",
            'supported values: "OnDelete", "RollingUpdate"',
        ),
        (
            "batch/v1",
            "Job",
            _job(completionMode="Indexed", completions=None, parallelism=1),
            "spec.completions",
            "when completion mode is Indexed",
        ),
        (
            "batch/v1",
            "CronJob",
            _cron_job(schedule="* * *"),
            "spec.schedule",
            "expected exactly 5 fields, found 3: [* * *]",
        ),
        ("batch/v1", "CronJob", _cron_job(schedule="TZ=UTC * * * * *"), "spec.schedule", "cannot use TZ or CRON_TZ"),
        ("batch/v1", "CronJob", _cron_job(timeZone="Mars/Base"), "spec.timeZone", "unknown time zone Mars/Base"),
    ],
)
def test_refuses(
    kind_of: KindOf, ctx: Context, api_version: str, kind: str, obj: Obj, field: str, message: str
) -> None:
    behaviour = kind_of(api_version, kind)
    obj = deep_copy(obj)
    behaviour.default(obj)
    behaviour.prepare_create(obj, ctx)
    (fault,) = behaviour.validate_create(obj, ctx)
    assert fault.field == field
    assert message in fault.message


def test_a_job_restarts_its_pods_never_or_on_failure(kind_of: KindOf, ctx: Context) -> None:
    kind, job = kind_of("batch/v1", "Job"), _job()
    del job["spec"]["template"]["spec"]["restartPolicy"]
    kind.default(job)
    kind.prepare_create(job, ctx)
    (fault,) = kind.validate_create(job, ctx)
    assert fault.message == 'Required value: valid values: "OnFailure", "Never"'


def test_a_job_selects_its_own_pods(kind_of: KindOf, ctx: Context) -> None:
    kind, job = kind_of("batch/v1", "Job"), _job()
    kind.default(job)
    kind.prepare_create(job, ctx)
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert (labels["job-name"], labels["batch.kubernetes.io/job-name"], labels["controller-uid"]) == ("web", "web", "u")


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "DaemonSet"])
def test_selectors_are_immutable(kind_of: KindOf, ctx: Context, kind: str) -> None:
    behaviour, old = kind_of("apps/v1", kind), _workload()
    behaviour.default(old)
    new = deep_copy(old)
    new["spec"]["selector"]["matchLabels"]["more"] = "x"
    new["spec"]["template"]["metadata"]["labels"]["more"] = "x"
    (fault,) = behaviour.validate_update(new, old, ctx)
    assert (fault.field, fault.message.endswith("field is immutable")) == ("spec.selector", True)


def test_a_stateful_set_changes_in_few_ways(kind_of: KindOf, ctx: Context) -> None:
    kind, old = kind_of("apps/v1", "StatefulSet"), _workload(serviceName="a")
    kind.default(old)
    new = deep_copy(old)
    new["spec"]["replicas"] = 3
    assert not kind.validate_update(new, old, ctx)
    new["spec"]["serviceName"] = "b"
    (fault,) = kind.validate_update(new, old, ctx)
    assert fault.message.startswith("Forbidden: updates to statefulset spec for fields other than 'replicas'")


@pytest.mark.parametrize(
    ("api_version", "kind", "obj", "status", "row"),
    [
        (
            "apps/v1",
            "Deployment",
            _workload(replicas=3),
            {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2},
            ["web", "2/3", 3, 2, "5m", "c", "nginx:1", "app=x"],
        ),
        (
            "apps/v1",
            "ReplicaSet",
            _workload(replicas=3),
            {"replicas": 3},
            ["web", 3, 3, 0, "5m", "c", "nginx:1", "app=x"],
        ),
        ("apps/v1", "StatefulSet", _workload(replicas=3), {"readyReplicas": 1}, ["web", "1/3", "5m", "c", "nginx:1"]),
        (
            "batch/v1",
            "Job",
            _workload(completions=2),
            {"succeeded": 1, "startTime": "2026-01-01T00:04:00Z"},
            ["web", "Running", "1/2", "60s", "5m", "c", "nginx:1", "app=x"],
        ),
    ],
)
def test_rows(kind_of: KindOf, api_version: str, kind: str, obj: Obj, status: Obj, row: list[Any]) -> None:
    assert kind_of(api_version, kind).row({**obj, "status": status}, _NOW) == row
