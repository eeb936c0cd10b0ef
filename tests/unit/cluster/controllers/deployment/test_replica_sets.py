from __future__ import annotations

from typing import Any

from lateen.cluster.controllers.deployment.replica_sets import (
    HASH_LABEL,
    REVISION,
    REVISION_HISTORY,
    annotations_for,
    find_new,
    new_replica_set,
    to_clean_up,
)


def test_the_new_replica_set_is_found_by_its_template(make_owner: Any) -> None:
    web = make_owner("Deployment", "web")
    rs = new_replica_set(web, 2, 1)
    assert rs["metadata"]["labels"][HASH_LABEL] == rs["spec"]["selector"]["matchLabels"][HASH_LABEL]
    assert rs["metadata"]["name"] == f"web-{rs['metadata']['labels'][HASH_LABEL]}"
    assert find_new(web, [rs]) is rs
    rs["spec"]["template"]["metadata"]["creationTimestamp"] = None
    rs["spec"]["template"]["spec"]["containers"][0]["resources"] = {}
    assert find_new(web, [rs]) is rs, "what a client that decodes the template adds is no change"
    other = make_owner("Deployment", "web")
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "another"
    assert find_new(other, [rs]) is None
    assert new_replica_set(other, 1, 1)["metadata"]["name"] != rs["metadata"]["name"]
    assert new_replica_set({**web, "status": {"collisionCount": 1}}, 1, 1)["metadata"]["name"] != rs["metadata"]["name"]


def test_an_undone_rollout_becomes_the_latest_revision(make_owner: Any) -> None:
    web = make_owner("Deployment", "web")
    web["metadata"]["annotations"] = {"kubernetes.io/change-cause": "why", REVISION: "2"}
    rs = new_replica_set(web, 2, 1)
    again = annotations_for(web, rs, 3)
    assert (again[REVISION], again[REVISION_HISTORY], again["kubernetes.io/change-cause"]) == ("3", "1", "why")


def test_history_is_limited_to_empty_ones(make_owner: Any) -> None:
    web = make_owner("Deployment", "web", revisionHistoryLimit=1)
    old = []
    for revision in range(1, 5):
        rs = new_replica_set(web, 0, revision)
        rs["metadata"]["name"] = f"rs{revision}"
        old.append(rs)
    old[1]["spec"]["replicas"] = 1
    assert [rs["metadata"]["name"] for rs in to_clean_up(web, old)] == ["rs1", "rs3"]
