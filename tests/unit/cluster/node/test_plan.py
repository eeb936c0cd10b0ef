from __future__ import annotations

from lateen.cluster.node.plan import initialized, make_plan
from lateen.cluster.node.tracked import Role, Tracked


def tracked(name: str, role: Role, state: str = "none", code: int = 0, started: bool = False) -> Tracked:
    container = Tracked({"name": name}, role)
    if state != "none":
        container.begin(0, name)
        container.state = {"id": name, "state": state, "exit_code": code, "started_at": 1.0}
        container.started = started
    return container


def names(containers: list[Tracked], policy: str = "Always") -> list[str] | str:
    plan = make_plan(containers, policy)
    return "finished" if plan.finished else [c.name for c in plan.start]


def test_init_containers_come_one_after_the_other() -> None:
    a, b, main = tracked("a", "init"), tracked("b", "init"), tracked("m", "main")
    assert names([a, b, main]) == ["a"]
    assert names([tracked("a", "init", "running"), b, main]) == []
    done = tracked("a", "init", "exited")
    assert names([done, b, main]) == ["b"]
    assert names([done, tracked("b", "init", "exited", 1), main]) == ["b"]
    assert names([done, tracked("b", "init", "exited", 1), main], "Never") == "finished"
    assert not initialized([done, b, main])


def test_a_sidecar_must_have_started_before_what_comes_after() -> None:
    main = tracked("m", "main")
    assert names([tracked("s", "sidecar"), main]) == ["s"]
    assert names([tracked("s", "sidecar", "running"), main]) == []
    assert names([tracked("s", "sidecar", "running", started=True), main]) == ["m"]


def test_sidecars_are_restarted_and_do_not_keep_a_pod_from_its_end() -> None:
    running = tracked("m", "main", "running")
    assert names([tracked("s", "sidecar", "exited", 0), running], "Never") == ["s"]
    done = tracked("m", "main", "exited", 0)
    assert names([tracked("s", "sidecar", "running", started=True), done], "Never") == "finished"


def test_restart_policies() -> None:
    for policy, code, expected in [
        ("Always", 0, ["m"]),
        ("OnFailure", 0, "finished"),
        ("OnFailure", 1, ["m"]),
        ("Never", 1, "finished"),
    ]:
        assert names([tracked("m", "main", "exited", code)], policy) == expected


def test_a_new_sandbox_runs_init_containers_again() -> None:
    init, main = tracked("i", "init", "exited"), tracked("m", "main", "exited", 137)
    for container in (init, main):
        container.in_sandbox = False
    assert names([init, main]) == ["i"]


def test_ephemeral_containers_start_first_and_once_and_count_for_nothing() -> None:
    init, main = tracked("i", "init"), tracked("m", "main")
    assert names([init, main, tracked("e", "ephemeral")]) == ["e", "i"]
    assert names([init, main, tracked("e", "ephemeral", "exited", 1)]) == ["i"]
    done = tracked("m", "main", "exited", 0)
    assert names([done, tracked("e", "ephemeral", "running")], "Never") == "finished"
    assert initialized([tracked("i", "init", "exited"), main, tracked("e", "ephemeral")])
