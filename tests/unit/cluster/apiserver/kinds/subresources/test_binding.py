from __future__ import annotations

import pytest

from lateen.cluster.apiserver.kinds.subresources.binding import _assigned
from lateen.cluster.objects import Obj
from lateen.cluster.status import StatusError


def _pod(**spec: str) -> Obj:
    return {"metadata": {"name": "web", "uid": "u"}, "spec": {**spec}}


def test_assigns() -> None:
    pod = _assigned(_pod(), {"metadata": {"annotations": {"a": "b"}}}, "node-1")
    assert pod["spec"]["nodeName"] == "node-1"
    assert pod["metadata"]["annotations"] == {"a": "b"}
    assert [(c["type"], c["status"]) for c in pod["status"]["conditions"]] == [("PodScheduled", "True")]


def test_a_pod_is_assigned_once() -> None:
    with pytest.raises(StatusError, match='is already assigned to node "node-1"') as refused:
        _assigned(_pod(nodeName="node-1"), {}, "node-2")
    assert refused.value.code == 409


def test_not_to_another_pod_of_that_name() -> None:
    with pytest.raises(StatusError, match="UID"):
        _assigned(_pod(), {"metadata": {"uid": "other"}}, "node-1")


def test_not_while_terminating() -> None:
    pod = _pod()
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(StatusError, match="is being deleted"):
        _assigned(pod, {}, "node-1")
