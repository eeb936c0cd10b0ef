from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.admission.resource_quota import ResourceQuotas
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key
from lateen.cluster.status import StatusError

QUOTAS = ("", "resourcequotas")


@pytest.fixture
def plugin(store: Store) -> ResourceQuotas:
    return ResourceQuotas(store)


async def bound(store: Store, **spec: Any) -> None:
    await store.create(QUOTAS, {"metadata": {"name": "q", "namespace": "ns"}, "spec": spec})


def pod(name: str, **requests: str) -> dict[str, Any]:
    container = {"name": "c", "resources": {"requests": requests}}
    return {"metadata": {"name": name, "namespace": "ns", "uid": name}, "spec": {"containers": [container]}}


async def test_no_more_than_the_quota(plugin: ResourceQuotas, store: Store, make: Any) -> None:
    await bound(store, hard={"pods": "2", "requests.cpu": "1"})
    await store.create(("", "pods"), pod("a", cpu="600m"))
    await plugin.validate(make(obj=pod("b", cpu="400m")))
    with pytest.raises(StatusError) as refused:
        await plugin.validate(make(obj=pod("c", cpu="500m")))
    assert refused.value.message == (
        'pods "c" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=500m, '
        "used: pods=2,requests.cpu=1, limited: pods=2,requests.cpu=1"
    )


async def test_what_is_on_its_way_counts_once(plugin: ResourceQuotas, store: Store, make: Any) -> None:
    await bound(store, hard={"pods": "2"})
    await plugin.validate(make(obj=pod("a")))
    await store.create(("", "pods"), pod("a"))
    await plugin.validate(make(obj=pod("b")))
    with pytest.raises(StatusError):
        await plugin.validate(make(obj=pod("c")))


async def test_a_dry_run_takes_nothing(plugin: ResourceQuotas, store: Store, make: Any) -> None:
    await bound(store, hard={"pods": "1"})
    for _ in range(2):
        await plugin.validate(make(obj=pod("a"), dry_run=True))


async def test_finished_pods_do_not_count(plugin: ResourceQuotas, store: Store, make: Any) -> None:
    await bound(store, hard={"pods": "1"})
    await store.create(("", "pods"), {**pod("a"), "status": {"phase": "Succeeded"}})
    await plugin.validate(make(obj=pod("b")))


async def test_what_is_bounded_must_be_told(plugin: ResourceQuotas, store: Store, make: Any) -> None:
    await bound(store, hard={"limits.memory": "1Gi"})
    with pytest.raises(StatusError) as refused:
        await plugin.validate(make(obj=pod("a")))
    assert refused.value.message == 'pods "a" is forbidden: failed quota: q: must specify limits.memory for: c'


async def test_scopes(plugin: ResourceQuotas, store: Store, make: Any) -> None:
    await bound(store, hard={"pods": "0"}, scopes=["BestEffort"])
    await plugin.validate(make(obj=pod("a", cpu="1")))
    with pytest.raises(StatusError):
        await plugin.validate(make(obj=pod("b")))


async def test_status_tells_the_usage(plugin: ResourceQuotas, store: Store) -> None:
    hard = {"count/deployments.apps": "1", "requests.memory": "1Gi"}
    await bound(store, hard=hard)
    await store.create(("", "pods"), pod("a", memory="256Mi"))
    await store.create(("apps", "deployments"), {"metadata": {"name": "d", "namespace": "ns"}})
    await plugin.reconcile(("", "pods"), Key("ns", "a"))
    quota = store.get(QUOTAS, Key("ns", "q"))
    assert quota is not None
    assert quota["status"] == {"hard": hard, "used": {"count/deployments.apps": "1", "requests.memory": "256Mi"}}
    revision = store.revision
    await plugin.reconcile(("", "pods"), Key("ns", "a"))
    assert store.revision == revision
