from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lateen.cluster.apiserver.admission.service_account import TOKEN_MOUNT_PATH, ServiceAccountPlugin
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import deep_copy
from lateen.cluster.status import StatusError


@pytest.fixture
def plugin(store: Store) -> ServiceAccountPlugin:
    return ServiceAccountPlugin(store)


async def add_account(store: Store, name: str = "default", **fields: Any) -> None:
    await store.create(("", "serviceaccounts"), {"metadata": {"name": name, "namespace": "ns"}, **fields})


async def test_the_default_account_and_its_token(plugin: ServiceAccountPlugin, store: Store, make: Any) -> None:
    await add_account(store, imagePullSecrets=[{"name": "pull"}])
    pod = make()
    await plugin.mutate(pod)
    spec = pod.obj["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    volume = spec["volumes"][0]
    assert volume["name"].startswith("kube-api-access-")
    assert len(volume["name"]) == len("kube-api-access-") + 5
    sources = volume["projected"]["sources"]
    assert sources[0] == {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    mount = {"name": volume["name"], "readOnly": True, "mountPath": TOKEN_MOUNT_PATH}
    assert spec["containers"][0]["volumeMounts"] == [mount]


async def test_twice_is_once(plugin: ServiceAccountPlugin, store: Store, make: Any) -> None:
    await add_account(store)
    pod = make()
    await plugin.mutate(pod)
    once = deep_copy(pod.obj)
    pod.obj["spec"]["containers"].append({"name": "injected"})
    await plugin.mutate(pod)
    assert pod.obj["spec"]["volumes"] == once["spec"]["volumes"]
    mounts = [c["volumeMounts"] for c in pod.obj["spec"]["containers"]]
    assert mounts[0] == mounts[1] == once["spec"]["containers"][0]["volumeMounts"]


@pytest.mark.parametrize(
    ("account", "pod", "mounted"),
    [(None, None, True), (False, None, False), (False, True, True), (None, False, False), (True, False, False)],
)
async def test_automount(
    plugin: ServiceAccountPlugin, store: Store, make: Any, account: bool | None, pod: bool | None, mounted: bool
) -> None:
    await add_account(store, **({} if account is None else {"automountServiceAccountToken": account}))
    attributes = make()
    if pod is not None:
        attributes.obj["spec"]["automountServiceAccountToken"] = pod
    await plugin.mutate(attributes)
    assert bool(attributes.obj["spec"].get("volumes")) is mounted


async def test_an_own_mount_at_the_same_place_wins(plugin: ServiceAccountPlugin, store: Store, make: Any) -> None:
    await add_account(store)
    attributes = make()
    attributes.obj["spec"]["containers"][0]["volumeMounts"] = [{"name": "x", "mountPath": TOKEN_MOUNT_PATH}]
    await plugin.mutate(attributes)
    assert "volumes" not in attributes.obj["spec"]


async def test_an_unknown_account(plugin: ServiceAccountPlugin, make: Any) -> None:
    attributes = make()
    attributes.obj["spec"]["serviceAccountName"] = "none"
    with pytest.raises(StatusError) as refused:
        await plugin.mutate(attributes)
    assert refused.value.message == (
        'pods "p" is forbidden: error looking up service account ns/none: serviceaccount "none" not found'
    )


async def test_the_default_account_may_come_a_moment_later(
    plugin: ServiceAccountPlugin, store: Store, make: Any
) -> None:
    pod = make()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(plugin.mutate(pod))
        tasks.create_task(add_account(store))
    assert pod.obj["spec"]["serviceAccountName"] == "default"
