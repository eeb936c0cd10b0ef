"""Jobs that complete, fail and run out of time; a CronJob, by hand and by the clock."""

from __future__ import annotations

import pytest
import yaml

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster


def _job(name: str, script: str, spec: str = "{}", pod: str = "{}") -> str:
    """A Job whose one container runs `script`. `spec` and `pod` are YAML mappings of further fields."""
    main = {"name": "main", "image": "busybox", "command": ["sh", "-c", script]}
    template = {"spec": {"restartPolicy": "Never", "containers": [main], **yaml.safe_load(pod)}}
    return yaml.safe_dump(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {"template": template, **yaml.safe_load(spec)},
        }
    )


_SIDECAR = """
terminationGracePeriodSeconds: 5
initContainers:
- name: side
  image: busybox
  restartPolicy: Always
  command: [sh, -c, 'trap "echo bye; exit 0" TERM; touch /tmp/up; while :; do sleep 1000 & wait; done']
  startupProbe: {exec: {command: [test, -e, /tmp/up]}, periodSeconds: 1}
"""


def test_jobs_complete_fail_and_run_out_of_time(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    jobs = [
        _job("sum", "echo index $JOB_COMPLETION_INDEX", "{completions: 3, parallelism: 2, completionMode: Indexed}"),
        _job("fails", "echo no; exit 4", "{backoffLimit: 0}"),
        _job("late", "sleep 1000", "{activeDeadlineSeconds: 1}", "{terminationGracePeriodSeconds: 0}"),
        _job("helped", "echo main done", "{backoffLimit: 0}", _SIDECAR),
        _job("gone", "exit 0", "{ttlSecondsAfterFinished: 0}"),
    ]
    cluster.apply("---\n".join(jobs), *n)
    cluster.kubectl("wait", "--for=condition=Complete", "job/sum", "job/helped", "--timeout=80s", *n)
    status = cluster.get("job", "sum", *n)["status"]
    assert (status["succeeded"], status["completedIndexes"]) == (3, "0-2")
    lines = cluster.kubectl("logs", "-l", "job-name=sum", "--tail=-1", *n)
    assert sorted(lines.splitlines()) == ["index 0", "index 1", "index 2"]
    assert cluster.kubectl("get", "job", "sum", *n).splitlines()[1].split()[:3] == ["sum", "Complete", "3/3"]

    cluster.kubectl("wait", "--for=condition=Failed", "job/fails", "job/late", "--timeout=80s", *n)
    reasons = {
        name: next(c["reason"] for c in cluster.get("job", name, *n)["status"]["conditions"] if c["type"] == "Failed")
        for name in ("fails", "late")
    }
    assert reasons == {"fails": "BackoffLimitExceeded", "late": "DeadlineExceeded"}
    failed = cluster.get("pods", "-l", "job-name=fails", *n)["items"]
    assert [p["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] for p in failed] == [4]
    cluster.until_gone("pod", "-l", "job-name=late", *n)

    # The sidecar was told to end after the main container did.
    pod = cluster.get("pods", "-l", "job-name=helped", *n)["items"][0]
    assert pod["status"]["phase"] == "Succeeded"
    assert cluster.kubectl("logs", pod["metadata"]["name"], "-c", "side", *n) == "bye\n"
    main = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    side = pod["status"]["initContainerStatuses"][0]["state"]["terminated"]
    assert side["exitCode"] == 0
    assert main["finishedAt"] <= side["finishedAt"]

    cluster.until_gone("job/gone", *n)
    cluster.kubectl("delete", "job", "sum", *n)
    cluster.until_gone("pod", "-l", "job-name=sum", *n)


def test_a_suspended_job_waits(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.apply(_job("held", "echo ran", "{suspend: true}"), *n)
    cluster.kubectl("wait", "--for=condition=Suspended", "job/held", "--timeout=60s", *n)
    assert cluster.get("pods", *n)["items"] == []
    cluster.kubectl("patch", "job", "held", *n, "-p", '{"spec":{"suspend":false}}')
    cluster.kubectl("wait", "--for=condition=Complete", "job/held", "--timeout=60s", *n)


# Clients before 1.21 make CronJobs, and Jobs of them, of the batch/v1beta1 that Kubernetes 1.25 dropped.
@pytest.mark.kubectl(1, 21)
@pytest.mark.timeout(240)
def test_a_cron_job_fires_by_hand_and_by_the_clock(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("create", "cronjob", "tick", "--image=busybox", "--schedule=* * * * *", *n, "--", "echo", "tick")
    cluster.kubectl("create", "job", "now", "--from=cronjob/tick", *n)
    cluster.kubectl("wait", "--for=condition=Complete", "job/now", "--timeout=60s", *n)
    assert cluster.kubectl("logs", "job/now", *n) == "tick\n"
    by_hand = cluster.get("job", "now", *n)["metadata"]
    assert by_hand["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    cluster.wait_for("{.status.lastScheduleTime}", "cronjob/tick", *n, timeout=85)
    job = next(j for j in cluster.get("jobs", *n)["items"] if j["metadata"]["name"].startswith("tick-"))
    assert job["metadata"]["ownerReferences"][0]["name"] == "tick"
    cluster.kubectl("wait", "--for=condition=Complete", f"job/{job['metadata']['name']}", "--timeout=60s", *n)
    cluster.kubectl("patch", "cronjob", "tick", *n, "-p", '{"spec":{"suspend":true}}')
    columns = cluster.kubectl("get", "cronjob", "tick", *n).splitlines()
    assert columns[0].split()[:4] == ["NAME", "SCHEDULE", "TIMEZONE", "SUSPEND"]
    cluster.kubectl("delete", "cronjob", "tick", *n)
    cluster.until_gone(f"job/{job['metadata']['name']}", *n)
