from __future__ import annotations

from lateen.cluster.apiserver.kinds.subresources.object_part import APPROVAL, EPHEMERAL_CONTAINERS, FINALIZE
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj, deep_copy


def _pod(*ephemeral: Obj) -> Obj:
    spec: Obj = {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "containers": [{"name": "a", "image": "x"}],
    }
    return {"metadata": {"name": "p"}, "spec": {**spec, **({"ephemeralContainers": [*ephemeral]} if ephemeral else {})}}


def test_ephemeral_containers_are_only_added(ctx: Context) -> None:
    debug = {"name": "debug", "image": "busybox"}
    old, new = _pod(), _pod(debug)
    new["spec"]["containers"][0]["image"] = "changed"
    EPHEMERAL_CONTAINERS.strategy.prepare(new, old, ctx)
    assert new["spec"] == {**old["spec"], "ephemeralContainers": [debug]}
    assert not EPHEMERAL_CONTAINERS.strategy.validate(new, old, ctx)
    (fault,) = EPHEMERAL_CONTAINERS.strategy.validate(old, new, ctx)
    assert "may not be removed" in fault.message
    changed = _pod({**debug, "image": "other"})
    (fault,) = EPHEMERAL_CONTAINERS.strategy.validate(changed, new, ctx)
    assert "may not be changed" in fault.message


def test_finalize_changes_the_finalizers_alone(ctx: Context) -> None:
    old: Obj = {"metadata": {"name": "n", "labels": {"a": "b"}}, "spec": {"finalizers": ["kubernetes"]}}
    new: Obj = {"metadata": {"name": "n"}, "spec": {"finalizers": []}, "status": {"phase": "Odd"}}
    FINALIZE.strategy.prepare(new, old, ctx)
    assert new == {"metadata": {"name": "n", "labels": {"a": "b"}}, "spec": {"finalizers": []}}


def test_approval_changes_the_conditions_alone(ctx: Context) -> None:
    old: Obj = {"metadata": {"name": "c"}, "spec": {"request": "x"}, "status": {}}
    new = deep_copy(old)
    new["spec"]["request"] = "y"
    new["status"] = {"conditions": [{"type": "Approved"}], "certificate": "forged"}
    APPROVAL.strategy.prepare(new, old, ctx)
    assert new["spec"] == {"request": "x"}
    (condition,) = new["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("Approved", "True")
    assert "certificate" not in new["status"]
    (fault,) = APPROVAL.strategy.validate(old, new, ctx)
    assert fault.message == 'Forbidden: updates may not remove a condition of type "Approved"'


def test_approved_and_denied_exclude_each_other(ctx: Context) -> None:
    csr: Obj = {"metadata": {}, "status": {"conditions": [{"type": "Approved"}, {"type": "Denied"}]}}
    (fault,) = APPROVAL.strategy.validate(csr, {"metadata": {}}, ctx)
    assert "mutually exclusive" in fault.message
