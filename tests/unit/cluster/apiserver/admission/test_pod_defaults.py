from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.admission.priority import Priority
from lateen.cluster.apiserver.admission.tolerations import DefaultTolerationSeconds
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.status import StatusError

CLASSES = ("scheduling.k8s.io", "priorityclasses")


async def test_tolerations_of_lost_nodes(make: Any) -> None:
    pod = make()
    for _ in range(2):
        await DefaultTolerationSeconds().mutate(pod)
    keys = [(t["key"], t["tolerationSeconds"]) for t in pod.obj["spec"]["tolerations"]]
    assert keys == [("node.kubernetes.io/not-ready", 300), ("node.kubernetes.io/unreachable", 300)]


async def test_a_toleration_of_everything_is_enough(make: Any) -> None:
    pod = make()
    pod.obj["spec"]["tolerations"] = [{"operator": "Exists"}]
    await DefaultTolerationSeconds().mutate(pod)
    assert pod.obj["spec"]["tolerations"] == [{"operator": "Exists"}]


async def test_no_priority_is_zero(store: Store, make: Any) -> None:
    pod = make()
    await Priority(store).mutate(pod)
    assert pod.obj["spec"]["priority"] == 0
    assert pod.obj["spec"]["preemptionPolicy"] == "PreemptLowerPriority"


async def test_a_class_gives_its_value(store: Store, make: Any) -> None:
    await store.create(CLASSES, {"metadata": {"name": "high"}, "value": 1000, "preemptionPolicy": "Never"})
    await store.create(CLASSES, {"metadata": {"name": "usual"}, "value": 5, "globalDefault": True})
    pod = make()
    pod.obj["spec"]["priorityClassName"] = "high"
    await Priority(store).mutate(pod)
    assert (pod.obj["spec"]["priority"], pod.obj["spec"]["preemptionPolicy"]) == (1000, "Never")
    other = make()
    await Priority(store).mutate(other)
    assert (other.obj["spec"]["priority"], other.obj["spec"]["priorityClassName"]) == (5, "usual")


async def test_an_unknown_class_and_a_made_up_number(store: Store, make: Any) -> None:
    pod = make()
    pod.obj["spec"]["priorityClassName"] = "none"
    with pytest.raises(StatusError, match="no PriorityClass with name none was found"):
        await Priority(store).mutate(pod)
    pod = make()
    pod.obj["spec"]["priority"] = 7
    with pytest.raises(StatusError, match=r"the integer value of priority \(7\) must not be provided in pod spec"):
        await Priority(store).mutate(pod)
