from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.node.pod_status import Facts, merged, phase, pod_status, status_patch
from lateen.cluster.node.tracked import Role, Tracked
from lateen.cluster.objects import Obj

RUNNING: dict[str, Any] = {"state": "running", "started_at": 1000.0}


def ended(code: int, **more: Any) -> dict[str, Any]:
    return {"state": "exited", "exit_code": code, "started_at": 1000.0, "finished_at": 1001.0, **more}


def tracked(role: Role = "main", state: dict[str, Any] | None = None, name: str = "c", **fields: Any) -> Tracked:
    container = Tracked({"name": name, "image": "i"}, role)
    if state is not None:
        container.begin(0, f"id-{name}")
        container.state = {"id": f"id-{name}", **state}
    for field, value in fields.items():
        setattr(container, field, value)
    return container


def facts(**changes: Any) -> Facts:
    values: dict[str, Any] = {
        "addresses": ("10.0.0.1", "fd00::1"),
        "host_addresses": ("10.9.0.1",),
        "sandbox_ready": True,
        "ended": False,
        "started_at": "2026-01-01T00:00:00Z",
    }
    return Facts(**(values | changes))


def pod(policy: str = "Always", **spec: Any) -> Obj:
    return {"metadata": {"uid": "u"}, "spec": {"restartPolicy": policy, "containers": [], **spec}}


@pytest.mark.parametrize(
    ("containers", "policy", "expected"),
    [
        ([tracked()], "Always", "Pending"),
        ([tracked(state=RUNNING)], "Always", "Running"),
        ([tracked(state=ended(0))], "Always", "Running"),
        ([tracked(state=ended(0))], "Never", "Succeeded"),
        ([tracked(state=ended(1))], "Never", "Failed"),
        ([tracked(state=ended(1))], "OnFailure", "Running"),
        ([tracked("init", ended(1)), tracked()], "Never", "Failed"),
        ([tracked("init", ended(1)), tracked()], "Always", "Pending"),
        ([tracked("sidecar", RUNNING, started=True), tracked(state=ended(0))], "Never", "Running"),
        ([tracked("sidecar", ended(137), started=False), tracked(state=ended(0))], "Never", "Succeeded"),
    ],
)
def test_phase(containers: list[Tracked], policy: str, expected: str) -> None:
    assert phase(containers, policy, facts()) == expected


def test_conditions_name_what_is_missing() -> None:
    waiting = tracked(state=RUNNING, name="slow")
    ready = tracked(state=RUNNING, name="quick", ready=True, started=True)
    status = pod_status(pod(), [ready, waiting], facts(), {})
    conditions = {c["type"]: c for c in status["conditions"]}
    assert conditions["Initialized"]["status"] == "True"
    assert conditions["Ready"]["reason"] == "ContainersNotReady"
    assert conditions["Ready"]["message"] == "containers with unready status: [slow]"
    waiting.ready = True
    later = pod_status(pod(), [ready, waiting], facts(), status)
    assert {c["type"]: c["status"] for c in later["conditions"]}["Ready"] == "True"


def test_readiness_gates() -> None:
    gated = pod(readinessGates=[{"conditionType": "example.com/ok"}])
    status = pod_status(gated, [tracked(state=RUNNING, ready=True)], facts(), {})
    conditions = {c["type"]: c for c in status["conditions"]}
    assert conditions["ContainersReady"]["status"] == "True"
    assert conditions["Ready"]["reason"] == "ReadinessGatesNotReady"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (ended(0), "Completed"),
        (ended(2), "Error"),
        (ended(137, oom_killed=True), "OOMKilled"),
        (ended(128, failure="exec: no"), "StartError"),
        (ended(137, lost=True), "ContainerStatusUnknown"),
    ],
)
def test_reasons(state: dict[str, Any], reason: str) -> None:
    status = pod_status(pod("Never"), [tracked(state=state)], facts(), {})
    shown = status["containerStatuses"][0]
    assert shown["state"]["terminated"]["reason"] == reason
    assert shown["containerID"] == "lateen://id-c"


def test_crash_loop_shows_the_last_end() -> None:
    crashed = tracked(state=ended(3), waiting=("CrashLoopBackOff", "back-off"))
    shown = pod_status(pod(), [crashed], facts(), {})["containerStatuses"][0]
    assert shown["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    assert shown["lastState"]["terminated"]["exitCode"] == 3


def test_a_patch_replaces_addresses_and_leaves_the_conditions_of_others() -> None:
    known = pod() | {"status": {"podIPs": [{"ip": "old"}], "conditions": [{"type": "PodScheduled", "status": "True"}]}}
    status = pod_status(known, [tracked(state=RUNNING)], facts(), {})
    patch = status_patch(known, status)
    assert patch["metadata"] == {"uid": "u"}
    assert patch["status"]["podIPs"][-1] == {"$patch": "replace"}
    assert "PodScheduled" in {c["type"] for c in merged(known, status)["status"]["conditions"]}


def test_a_patch_takes_back_reasons_that_hold_no_more() -> None:
    before = pod_status(pod(), [tracked()], facts(), {})
    assert next(c for c in before["conditions"] if c["type"] == "Ready")["reason"] == "ContainersNotReady"
    known = pod() | {"status": before}
    status = pod_status(known, [tracked(state=RUNNING, ready=True, started=True)], facts(), before)
    ready = next(c for c in status_patch(known, status)["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"], ready["message"]) == ("True", None, None)
    assert "reason" not in next(c for c in status["conditions"] if c["type"] == "Ready")


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([tracked("init", ended(0), "i"), tracked("sidecar", ended(0), "s"), tracked(state=ended(0))], "Succeeded"),
        ([tracked("init", ended(1), "i"), tracked()], "Failed"),
    ],
)
def test_a_phase_that_is_final_stays_as_the_sandbox_goes(containers: list[Tracked], expected: str) -> None:
    for container in containers:
        container.end()
    assert phase(containers, "Never", facts(ended=True, sandbox_ready=False)) == expected


def test_ephemeral_containers_have_a_list_of_their_own_and_change_nothing_else() -> None:
    ephemeral = tracked("ephemeral", RUNNING, name="debugger", ready=True)
    alone = pod_status(pod("Never"), [tracked(state=ended(0))], facts(), {})
    status = pod_status(pod("Never"), [tracked(state=ended(0)), ephemeral], facts(), {})
    shown = status.pop("ephemeralContainerStatuses")[0]
    assert (shown["name"], shown["ready"], "running" in shown["state"]) == ("debugger", False, True)
    assert status["phase"] == "Succeeded"
    assert status.keys() == alone.keys()
