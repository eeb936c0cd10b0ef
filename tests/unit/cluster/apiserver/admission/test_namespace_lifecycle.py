from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.status import StatusError


@pytest.fixture
def plugin(store: Store) -> NamespaceLifecycle:
    return NamespaceLifecycle(store)


async def test_a_missing_namespace(plugin: NamespaceLifecycle, make: Any) -> None:
    await plugin.mutate(make())
    with pytest.raises(StatusError) as refused:
        await plugin.mutate(make(namespace="none"))
    assert refused.value.code == 404
    assert refused.value.message == 'namespaces "none" not found'


async def test_a_terminating_namespace_takes_nothing_new(plugin: NamespaceLifecycle, make: Any, store: Store) -> None:
    going = {"metadata": {"name": "going", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    await store.create(("", "namespaces"), going)
    with pytest.raises(StatusError) as refused:
        await plugin.mutate(make(namespace="going"))
    assert refused.value.message == (
        'pods "p" is forbidden: unable to create new content in namespace going because it is being terminated'
    )
    assert refused.value.causes[0].type == "NamespaceTerminating"
    await plugin.mutate(make("UPDATE", namespace="going"))


@pytest.mark.parametrize(("name", "refused"), [("default", True), ("kube-system", True), ("mine", False)])
async def test_some_namespaces_stay(
    plugin: NamespaceLifecycle, make: Any, kinds: Any, name: str, refused: bool
) -> None:
    deletion = make("DELETE", kinds["namespaces"], namespace="", name=name)
    if not refused:
        await plugin.validate(deletion)
        return
    with pytest.raises(StatusError) as error:
        await plugin.validate(deletion)
    assert error.value.message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'
