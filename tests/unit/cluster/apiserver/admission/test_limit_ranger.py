from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.admission.limit_ranger import LimitRanger
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.status import StatusError


@pytest.fixture
def plugin(store: Store) -> LimitRanger:
    return LimitRanger(store)


async def limit(store: Store, **fields: Any) -> None:
    spec = {"limits": [{"type": "Container", **fields}]}
    await store.create(("", "limitranges"), {"metadata": {"name": "l", "namespace": "ns"}, "spec": spec})


def pod(**resources: Any) -> dict[str, Any]:
    container = {"name": "c", "resources": resources}
    return {"metadata": {"name": "p", "namespace": "ns"}, "spec": {"containers": [container]}}


async def test_defaults_fill_what_is_missing(plugin: LimitRanger, store: Store, make: Any) -> None:
    await limit(store, default={"cpu": "1", "memory": "1Gi"}, defaultRequest={"cpu": "100m"})
    attributes = make(obj=pod(limits={"cpu": "2"}))
    await plugin.mutate(attributes)
    assert attributes.obj["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "100m", "memory": "1Gi"},
        "limits": {"cpu": "2", "memory": "1Gi"},
    }
    told = attributes.obj["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
    assert told == "LimitRanger plugin set: cpu, memory request for container c; memory limit for container c"


async def test_without_ranges_nothing_changes(plugin: LimitRanger, make: Any) -> None:
    attributes = make(obj=pod())
    await plugin.mutate(attributes)
    assert attributes.obj["spec"] == pod()["spec"]
    assert "annotations" not in attributes.obj["metadata"]


@pytest.mark.parametrize(
    ("bounds", "resources", "said"),
    [
        (
            {"max": {"cpu": "1"}},
            {"limits": {"cpu": "2"}},
            "maximum cpu usage per Container is 1, but limit is 2",
        ),
        ({"max": {"cpu": "1"}}, {}, "maximum cpu usage per Container is 1.  No limit is specified"),
        (
            {"min": {"memory": "1Gi"}},
            {"requests": {"memory": "1Mi"}},
            "minimum memory usage per Container is 1Gi, but request is 1Mi",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "1"}, "limits": {"cpu": "3"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
    ],
)
async def test_bounds(plugin: LimitRanger, store: Store, make: Any, bounds: Any, resources: Any, said: str) -> None:
    await limit(store, **bounds)
    with pytest.raises(StatusError) as refused:
        await plugin.validate(make(obj=pod(**resources)))
    assert refused.value.message == f'pods "p" is forbidden: {said}'


async def test_within_bounds(plugin: LimitRanger, store: Store, make: Any) -> None:
    await limit(store, max={"cpu": "1"}, min={"cpu": "100m"}, maxLimitRequestRatio={"cpu": "4"})
    await plugin.validate(make(obj=pod(requests={"cpu": "250m"}, limits={"cpu": "1000m"})))
