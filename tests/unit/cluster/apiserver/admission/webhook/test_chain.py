from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lateen.cluster.apiserver.admission.chain import Admission
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.status import StatusError


@pytest.fixture
async def admission(store: Store, registry: Registry) -> AsyncIterator[Admission]:
    await store.create(("", "serviceaccounts"), {"metadata": {"name": "default", "namespace": "ns"}})
    made = Admission(store, registry, Authorizer(store))
    yield made
    await made.close()


async def test_an_injected_container_gets_the_token_too(
    admission: Admission, server: Any, configure: Any, make: Any
) -> None:
    server.allow("inject", [{"op": "add", "path": "/spec/containers/-", "value": {"name": "proxy"}}])
    await configure("mutating", "injector", server.webhook("inject"))
    attributes = make()
    pod = await admission.mutate("CREATE", attributes.obj, None, attributes.ctx, attributes.kind)
    first, injected = pod["spec"]["containers"]
    assert injected["name"] == "proxy"
    assert injected["volumeMounts"] == first["volumeMounts"]
    assert len(pod["spec"]["volumes"]) == 1
    # The webhook saw what the built-in plugins had made of the pod.
    assert server.seen[0]["review"]["request"]["object"]["spec"]["serviceAccountName"] == "default"


async def test_deletions_are_shown_to_both_kinds_of_webhooks(
    admission: Admission, server: Any, configure: Any, make: Any
) -> None:
    server.allow("mutating")
    server.deny("validating", "keep it")
    await configure("mutating", "m", server.webhook("mutating"))
    await configure("validating", "v", server.webhook("validating"))
    deletion = make("DELETE", old=make().obj, name="p")
    with pytest.raises(StatusError, match="keep it"):
        await admission.validate("DELETE", None, deletion.old, deletion.ctx, deletion.kind)
    assert server.paths == ["mutating", "validating"]
    assert server.seen[1]["review"]["request"]["object"] is None
    assert server.seen[1]["review"]["request"]["oldObject"]["metadata"]["name"] == "p"


async def test_no_webhook_is_asked_about_what_cannot_be(
    admission: Admission, server: Any, configure: Any, make: Any
) -> None:
    server.allow("w")
    await configure("mutating", "m", server.webhook("w"))
    attributes = make(namespace="none")
    with pytest.raises(StatusError) as refused:
        await admission.mutate("CREATE", attributes.obj, None, attributes.ctx, attributes.kind)
    assert refused.value.code == 404
    assert not server.seen
