from __future__ import annotations

import datetime as dt
from typing import Any

from lateen.cluster.conditions import find
from lateen.cluster.controllers.deployment.status import pause_conditions, rollout_status, seconds_to_deadline


def replica_set(replicas: int, available: int) -> dict[str, Any]:
    counts = {"replicas": replicas, "readyReplicas": available, "availableReplicas": available}
    return {"metadata": {"name": "web-1", "uid": "1"}, "spec": {"replicas": replicas}, "status": counts}


def test_a_rollout_progresses_completes_and_times_out(make_owner: Any, now: dt.datetime) -> None:
    web = make_owner("Deployment", "web", replicas=2, progressDeadlineSeconds=60)
    rs = replica_set(2, 0)
    web["status"] = rollout_status(web, rs, [rs], now)
    progress = find(web["status"]["conditions"], "Progressing")
    assert progress is not None
    assert (progress["status"], progress["reason"]) == ("True", "ReplicaSetUpdated")
    assert progress["message"] == 'ReplicaSet "web-1" is progressing.'
    assert seconds_to_deadline(web, web["status"], now) == 60
    late = rollout_status(web, rs, [rs], now + dt.timedelta(seconds=61))
    progress = find(late["conditions"], "Progressing")
    assert progress is not None
    assert (progress["status"], progress["reason"]) == ("False", "ProgressDeadlineExceeded")
    rs = replica_set(2, 2)
    done = rollout_status(web, rs, [rs], now)
    assert [(c["type"], c["status"], c["reason"]) for c in done["conditions"]] == [
        ("Available", "True", "MinimumReplicasAvailable"),
        ("Progressing", "True", "NewReplicaSetAvailable"),
    ]
    assert (done["updatedReplicas"], done["availableReplicas"], "unavailableReplicas" in done) == (2, 2, False)
    web["status"] = done
    assert rollout_status(web, rs, [rs], now + dt.timedelta(seconds=999)) == done


def test_pause_and_resume(make_owner: Any, now: dt.datetime) -> None:
    web = make_owner("Deployment", "web", progressDeadlineSeconds=60, paused=True)
    paused = pause_conditions(web, now)
    assert paused is not None
    assert paused[0]["reason"] == "DeploymentPaused"
    web["status"] = {"conditions": paused}
    assert pause_conditions(web, now) is None
    web["spec"]["paused"] = False
    resumed = pause_conditions(web, now)
    assert resumed is not None
    assert resumed[0]["reason"] == "DeploymentResumed"
