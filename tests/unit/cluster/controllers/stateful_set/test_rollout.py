from __future__ import annotations

from typing import Any

from lateen.cluster.controllers.stateful_set.members import new_claims, new_member
from lateen.cluster.controllers.stateful_set.rollout import Revisions, plan, status

SAME = Revisions("new", "new")
ROLLING = Revisions("old", "new")


def member(make_pod: Any, ordinal: int, hashed: str = "new", **options: Any) -> Any:
    return make_pod(f"own-{ordinal}", labels={"controller-revision-hash": hashed}, **options)


def names(found: Any) -> list[str]:
    return [p["metadata"]["name"] for p in found]


def test_ordered_creation_waits_for_each(make_pod: Any, make_owner: Any, now: Any) -> None:
    owner = make_owner("StatefulSet", replicas=3)
    assert plan(owner, [], SAME, now).create == [(0, "new")]
    assert plan(owner, [member(make_pod, 0, ready=False)], SAME, now).create == []
    assert plan(owner, [member(make_pod, 0)], SAME, now).create == [(1, "new")]


def test_parallel_creation_does_not(make_pod: Any, make_owner: Any, now: Any) -> None:
    owner = make_owner("StatefulSet", replicas=3, podManagementPolicy="Parallel", ordinals={"start": 5})
    found = plan(owner, [member(make_pod, 6, ready=False), member(make_pod, 0)], SAME, now)
    assert (found.create, names(found.scale_down)) == ([(5, "new"), (7, "new")], ["own-0"])


def test_scaling_down_goes_from_the_top_and_waits(make_pod: Any, make_owner: Any, now: Any) -> None:
    owner = make_owner("StatefulSet", replicas=1)
    owned = [member(make_pod, n) for n in range(3)]
    assert names(plan(owner, owned, SAME, now).scale_down) == ["own-2"]
    owned[2]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert names(plan(owner, owned, SAME, now).scale_down) == []


def test_failed_members_are_replaced(make_pod: Any, make_owner: Any, now: Any) -> None:
    found = plan(make_owner("StatefulSet", replicas=2), [member(make_pod, 0, phase="Failed")], SAME, now)
    assert (names(found.delete), found.create) == (["own-0"], [])


def test_update_goes_one_by_one_from_the_top_to_the_partition(make_pod: Any, make_owner: Any, now: Any) -> None:
    owner = make_owner("StatefulSet", replicas=3)
    owned = [member(make_pod, n, "old") for n in range(3)]
    assert names(plan(owner, owned, ROLLING, now).delete) == ["own-2"]
    owned[2] = member(make_pod, 2, "new")
    assert names(plan(owner, owned, ROLLING, now).delete) == ["own-1"]
    owner["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    assert plan(owner, owned, ROLLING, now).delete == []
    assert plan(owner, owned[1:], ROLLING, now).create == [(0, "old")]
    assert plan(owner, owned[:2], ROLLING, now).create == [(2, "new")]
    owner["spec"]["updateStrategy"] = {"type": "OnDelete"}
    owned[2] = member(make_pod, 2, "old")
    assert plan(owner, owned, ROLLING, now).delete == []


def test_status_ends_the_update(make_pod: Any, make_owner: Any, now: Any) -> None:
    owner = make_owner("StatefulSet", replicas=2)
    revisions = {"old": "own-old", "new": "own-new"}
    half = status(owner, [member(make_pod, 0, "old"), member(make_pod, 1)], ROLLING, revisions, now)
    assert (half["currentReplicas"], half["updatedReplicas"], half["currentRevision"]) == (1, 1, "own-old")
    done = status(owner, [member(make_pod, 0), member(make_pod, 1)], ROLLING, revisions, now)
    assert (done["currentReplicas"], done["updatedReplicas"], done["currentRevision"]) == (2, 2, "own-new")


def test_members_have_identity_and_claims(make_owner: Any) -> None:
    owner = make_owner("StatefulSet", serviceName="svc", volumeClaimTemplates=[{"metadata": {"name": "data"}}])
    pod = new_member(owner, owner["spec"]["template"], "h", 1)
    assert pod["metadata"]["name"] == pod["spec"]["hostname"] == "own-1"
    assert pod["spec"]["subdomain"] == "svc"
    assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "1"
    assert pod["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data-own-1"}}]
    claim = new_claims(owner, 1)[0]
    assert (claim["metadata"]["name"], claim["metadata"]["labels"]) == ("data-own-1", {"app": "x"})
    assert "ownerReferences" not in claim["metadata"]
