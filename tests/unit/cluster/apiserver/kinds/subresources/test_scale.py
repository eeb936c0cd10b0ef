from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.kinds.subresources import scale as module
from lateen.cluster.apiserver.kinds.subresources.scale import scale_of
from lateen.cluster.objects import Obj
from lateen.cluster.status import StatusError


def _deployment(**spec: Any) -> Obj:
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "u", "resourceVersion": "7", "labels": {"a": "b"}},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "x", "a": "b"}}, **spec},
        "status": {"replicas": 2},
    }


def test_what_a_workload_shows() -> None:
    assert scale_of(_deployment()) == {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "web", "namespace": "default", "uid": "u", "resourceVersion": "7"},
        "spec": {"replicas": 3},
        "status": {"replicas": 2, "selector": "a=b,app=x"},
    }


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ([], "expected input object type to be Scale"),
        ({"kind": "Pod"}, "expected input object type to be Scale"),
        ({"metadata": {"name": "other"}}, "does not match the name on the URL"),
        ({"spec": {"replicas": "3"}}, "must be an integer"),
        ({"spec": {"replicas": -1}}, 'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1'),
    ],
)
def test_refuses(sent: Any, message: str) -> None:
    with pytest.raises(StatusError) as refused:
        module._replicas(sent, "web")
    assert message in refused.value.message
