from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.admission.runtime_class import RuntimeClassPlugin
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.status import StatusError

CLASSES = ("node.k8s.io", "runtimeclasses")


@pytest.fixture
async def plugin(store: Store) -> RuntimeClassPlugin:
    scheduling = {"nodeSelector": {"vm": "yes"}, "tolerations": [{"key": "vm"}]}
    overhead = {"podFixed": {"cpu": "10m"}}
    await store.create(CLASSES, {"metadata": {"name": "vm"}, "overhead": overhead, "scheduling": scheduling})
    return RuntimeClassPlugin(store)


async def admit(plugin: RuntimeClassPlugin, pod: Any) -> None:
    await plugin.mutate(pod)
    await plugin.validate(pod)


async def test_a_class_gives_what_it_has(plugin: RuntimeClassPlugin, make: Any) -> None:
    pod = make()
    pod.obj["spec"] |= {"runtimeClassName": "vm", "nodeSelector": {"disk": "ssd"}}
    for _ in range(2):
        await admit(plugin, pod)
    spec = pod.obj["spec"]
    assert spec["overhead"] == {"cpu": "10m"}
    assert spec["nodeSelector"] == {"disk": "ssd", "vm": "yes"}
    assert spec["tolerations"] == [{"key": "vm"}]


@pytest.mark.parametrize(
    ("spec", "detail"),
    [
        ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
        ({"runtimeClassName": "vm", "overhead": {"cpu": "1"}}, "pod rejected: Pod's Overhead doesn't match"),
        ({"runtimeClassName": "vm", "nodeSelector": {"vm": "no"}}, "pod rejected: conflict: runtimeClass.scheduling"),
        ({"overhead": {"cpu": "1"}}, "pod rejected: Pod Overhead set without corresponding RuntimeClass"),
    ],
)
async def test_refusals(plugin: RuntimeClassPlugin, make: Any, spec: Any, detail: str) -> None:
    pod = make()
    pod.obj["spec"] |= spec
    with pytest.raises(StatusError) as refused:
        await admit(plugin, pod)
    assert refused.value.code == 403
    assert detail in refused.value.message
