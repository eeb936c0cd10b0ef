from __future__ import annotations

import asyncio
import base64
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from lateen.cluster.apiserver.admission.webhook.client import MAX_RESPONSE_BYTES
from lateen.cluster.apiserver.admission.webhook.dispatch import Webhooks
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.pki.authority import Authority
from lateen.cluster.status import StatusError
from lateen.testing.free_port import free_port


@pytest.fixture
async def webhooks(store: Store, registry: Registry) -> AsyncIterator[Webhooks]:
    made = Webhooks(store, registry)
    yield made
    await made.close()


async def nothing() -> None:
    pass


def label(name: str, value: str = "1") -> list[Any]:
    return [{"op": "add", "path": f"/metadata/{name}", "value": value}]


async def test_patches_are_applied_in_order_of_names(
    webhooks: Webhooks, server: Any, configure: Any, make: Any
) -> None:
    server.allow("one", [{"op": "add", "path": "/spec/order", "value": ["one"]}])
    server.allow("two", [{"op": "add", "path": "/spec/order/-", "value": "two"}])
    await configure("mutating", "b", server.webhook("two"))
    await configure("mutating", "a", server.webhook("one"))
    pod = make()
    await webhooks.mutate(pod, nothing)
    assert pod.obj["spec"]["order"] == ["one", "two"]


async def test_what_a_webhook_is_asked(webhooks: Webhooks, server: Any, configure: Any, make: Any) -> None:
    server.allow("w")
    await configure("validating", "a", server.webhook("w"))
    await webhooks.validate(make())
    request = server.seen[0]["review"]["request"]
    assert server.seen[0]["review"]["apiVersion"] == "admission.k8s.io/v1"
    assert request["operation"] == "CREATE"
    assert request["kind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert request["resource"] == {"group": "", "version": "v1", "resource": "pods"}
    assert (request["name"], request["namespace"]) == ("p", "ns")
    assert request["userInfo"] == {"username": "jane", "groups": ["dev", "system:authenticated"]}
    assert request["object"]["metadata"]["name"] == "p"
    assert request["oldObject"] is None
    assert request["dryRun"] is False
    assert request["options"] == {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}


async def test_denied(webhooks: Webhooks, server: Any, configure: Any, make: Any) -> None:
    server.deny("w", "not today")
    await configure("validating", "a", server.webhook("w", failurePolicy="Ignore"))
    with pytest.raises(StatusError) as refused:
        await webhooks.validate(make())
    assert refused.value.code == 403
    assert refused.value.message == 'admission webhook "w.acme.com" denied the request: not today'


async def test_warnings_reach_the_requester(webhooks: Webhooks, server: Any, configure: Any, make: Any) -> None:
    server.allow("w", warnings=["hot"])
    await configure("validating", "a", server.webhook("w"))
    pod = make()
    await webhooks.validate(pod)
    assert pod.ctx.warnings == ["hot"]


async def test_validating_ones_are_asked_side_by_side(
    webhooks: Webhooks, server: Any, configure: Any, make: Any
) -> None:
    barrier = asyncio.Barrier(2)

    async def meet(_: Any) -> dict[str, Any]:
        await barrier.wait()
        return {"allowed": True}

    server.on("one", meet)
    server.on("two", meet)
    await configure("validating", "a", server.webhook("one"), server.webhook("two"))
    await webhooks.validate(make())


async def test_connections_are_reused(webhooks: Webhooks, server: Any, configure: Any, make: Any) -> None:
    server.allow("w")
    await configure("validating", "a", server.webhook("w"))
    for _ in range(3):
        await webhooks.validate(make())
    assert len(server.connections) == 1


async def test_reinvocation(webhooks: Webhooks, server: Any, configure: Any, make: Any) -> None:
    server.allow("first", label("first"))
    server.allow("second", label("second"))
    await configure("mutating", "a", server.webhook("first", reinvocationPolicy="IfNeeded"), server.webhook("second"))
    again = 0

    async def built_in() -> None:
        nonlocal again
        again += 1

    await webhooks.mutate(make(), built_in)
    assert server.paths == ["first", "second", "first"]
    assert again == 1


async def test_no_reinvocation_without_a_later_change(
    webhooks: Webhooks, server: Any, configure: Any, make: Any
) -> None:
    server.allow("first", label("first"))
    server.allow("second")
    await configure("mutating", "a", server.webhook("first", reinvocationPolicy="IfNeeded"), server.webhook("second"))
    await webhooks.mutate(make(), nothing)
    assert server.paths == ["first", "second"]


class TestMatching:
    @pytest.mark.parametrize(
        ("fields", "called"),
        [
            ({}, True),
            ({"namespaceSelector": {"matchLabels": {"team": "blue"}}}, True),
            ({"namespaceSelector": {"matchLabels": {"team": "red"}}}, False),
            ({"objectSelector": {"matchLabels": {"inject": "yes"}}}, False),
            ({"objectSelector": {"matchExpressions": [{"key": "inject", "operator": "DoesNotExist"}]}}, True),
            ({"matchConditions": [{"name": "c", "expression": "object.metadata.name == 'p'"}]}, True),
            ({"matchConditions": [{"name": "c", "expression": "request.userInfo.username == 'joe'"}]}, False),
            ({"matchConditions": [{"name": "c", "expression": "!has(object.spec.nothing)"}]}, True),
        ],
    )
    async def test_selectors_and_conditions(
        self, webhooks: Webhooks, server: Any, configure: Any, make: Any, fields: Any, called: bool
    ) -> None:
        server.allow("w")
        await configure("validating", "a", server.webhook("w", **fields))
        await webhooks.validate(make())
        assert bool(server.seen) is called

    async def test_a_namespaces_own_labels_count(
        self, webhooks: Webhooks, server: Any, configure: Any, make: Any, kinds: Any
    ) -> None:
        server.allow("w")
        selector = {"matchLabels": {"team": "red"}}
        await configure("validating", "a", server.webhook("w", namespaceSelector=selector))
        new = {"metadata": {"name": "n", "labels": {"team": "red"}}}
        await webhooks.validate(make(of=kinds["namespaces"], obj=new, namespace=""))
        assert server.paths == ["w"]

    @pytest.mark.parametrize(("policy", "refused"), [("Fail", True), ("Ignore", False)])
    async def test_a_condition_that_fails(
        self, webhooks: Webhooks, server: Any, configure: Any, make: Any, policy: str, refused: bool
    ) -> None:
        server.allow("w")
        conditions = [{"name": "c", "expression": "object.spec.none.such == 1"}]
        await configure("validating", "a", server.webhook("w", matchConditions=conditions, failurePolicy=policy))
        if refused:
            with pytest.raises(StatusError, match="matchCondition 'c'"):
                await webhooks.validate(make())
        else:
            await webhooks.validate(make())
        assert not server.seen

    @pytest.mark.parametrize(("policy", "called"), [("Equivalent", True), ("Exact", False)])
    async def test_equivalent_versions(
        self, webhooks: Webhooks, server: Any, configure: Any, make: Any, kinds: Any, policy: str, called: bool
    ) -> None:
        server.allow("w", [{"op": "add", "path": "/spec", "value": {"seen": True}}])
        rules = [{"operations": ["*"], "apiGroups": ["acme.com"], "apiVersions": ["v1"], "resources": ["widgets"]}]
        await configure("mutating", "a", server.webhook("w", rules=rules, matchPolicy=policy))
        widget = make(of=kinds["oldwidgets"], obj={"metadata": {"name": "w", "namespace": "ns"}})
        await webhooks.mutate(widget, nothing)
        assert bool(server.seen) is called
        assert widget.obj["apiVersion"] == "acme.com/v1beta1"
        if called:
            request = server.seen[0]["review"]["request"]
            assert request["object"]["apiVersion"] == "acme.com/v1"
            assert (request["kind"]["version"], request["requestKind"]["version"]) == ("v1", "v1beta1")
            assert widget.obj["spec"] == {"seen": True}


class TestFailures:
    async def failure(self, webhooks: Webhooks, configure: Any, make: Any, webhook: dict[str, Any]) -> str:
        """What a failing webhook says; with `Ignore` it must say nothing."""
        await configure("validating", "ignored", {**webhook, "failurePolicy": "Ignore"})
        await webhooks.validate(make())
        await configure("validating", "required", webhook)
        with pytest.raises(StatusError) as error:
            await webhooks.validate(make())
        assert (error.value.code, error.value.reason) == (500, "InternalError")
        prefix = f'Internal error occurred: failed calling webhook "{webhook["name"]}": '
        assert error.value.message.startswith(prefix)
        return error.value.message[len(prefix) :]

    async def test_nobody_listens(self, webhooks: Webhooks, server: Any, configure: Any, make: Any) -> None:
        port = free_port()
        config = {"url": f"https://127.0.0.1:{port}/w", "caBundle": server.ca_bundle}
        said = await self.failure(webhooks, configure, make, server.webhook("w", clientConfig=config))
        url = f"https://127.0.0.1:{port}/w?timeout=10s"
        refused = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
        assert said == f'failed to call webhook: Post "{url}": {refused}'

    async def test_too_slow(self, webhooks: Webhooks, server: Any, configure: Any, make: Any) -> None:
        never = asyncio.Event()

        async def wait(_: Any) -> Any:
            await never.wait()
            return {}

        server.on("w", wait)
        said = await self.failure(webhooks, configure, make, server.webhook("w", timeoutSeconds=1))
        never.set()
        assert said.endswith('/w?timeout=1s": context deadline exceeded')

    async def test_an_unknown_authority(self, webhooks: Webhooks, server: Any, configure: Any, make: Any) -> None:
        other = Authority.create("other", dt.datetime.now(dt.UTC)).certificate
        bundle = base64.b64encode(other.public_bytes(serialization.Encoding.PEM)).decode()
        config = {"url": f"https://127.0.0.1:{server.port}/w", "caBundle": bundle}
        said = await self.failure(webhooks, configure, make, server.webhook("w", clientConfig=config))
        assert said.endswith("tls: failed to verify certificate: x509: certificate signed by unknown authority")

    @pytest.mark.parametrize(
        ("response", "words"),
        [
            ({"status": 404}, "the server could not find the requested resource"),
            ({"status": 500, "text": "boom"}, 'an error on the server ("boom") has prevented the request from succ'),
            ({"text": "<html>"}, "json parse error"),
            ({"text": "null"}, "received invalid webhook response: webhook response was no JSON object"),
            ({"body": b"x" * (MAX_RESPONSE_BYTES + 1)}, "response is larger than"),
        ],
    )
    async def test_nonsense(
        self, webhooks: Webhooks, server: Any, configure: Any, make: Any, response: Any, words: str
    ) -> None:
        server.on("w", lambda _: web.Response(**response))
        assert words in await self.failure(webhooks, configure, make, server.webhook("w"))

    @pytest.mark.parametrize("policy", ["Fail", "Ignore"])
    async def test_a_patch_that_does_not_apply_is_an_error_whatever_the_policy(
        self, webhooks: Webhooks, server: Any, configure: Any, make: Any, policy: str
    ) -> None:
        server.allow("w", [{"op": "remove", "path": "/no/such"}])
        await configure("mutating", "a", server.webhook("w", failurePolicy=policy))
        pod = make()
        with pytest.raises(StatusError) as error:
            await webhooks.mutate(pod, nothing)
        assert error.value.code == 500

    async def test_a_patch_that_makes_another_object(
        self, webhooks: Webhooks, server: Any, configure: Any, make: Any
    ) -> None:
        server.allow("w", [{"op": "replace", "path": "/kind", "value": "Secret"}])
        await configure("mutating", "a", server.webhook("w"))
        with pytest.raises(StatusError):
            await webhooks.mutate(make(), nothing)

    async def test_dry_run_needs_a_webhook_without_side_effects(
        self, webhooks: Webhooks, server: Any, configure: Any, make: Any
    ) -> None:
        server.allow("w")
        await configure("validating", "a", server.webhook("w", sideEffects="Some", failurePolicy="Ignore"))
        with pytest.raises(StatusError) as error:
            await webhooks.validate(make(dry_run=True))
        assert error.value.message == 'admission webhook "w.acme.com" does not support dry run'
        assert not server.seen


class TestServices:
    @pytest.fixture
    async def _service(self, store: Store, server: Any) -> None:
        spec = {"ports": [{"name": "https", "port": 8443}]}
        await store.create(("", "services"), {"metadata": {"name": "hook", "namespace": "ns"}, "spec": spec})

    def webhook(self, server: Any, **service: Any) -> dict[str, Any]:
        config = {"service": {"namespace": "ns", "name": "hook", "path": "/w", "port": 8443, **service}}
        found: dict[str, Any] = server.webhook("w", clientConfig={**config, "caBundle": server.ca_bundle})
        return found

    @pytest.mark.usefixtures("_service")
    async def test_a_ready_endpoint_is_called_by_the_services_name(
        self, webhooks: Webhooks, server: Any, configure: Any, make: Any, store: Store
    ) -> None:
        meta = {"name": "hook-1", "namespace": "ns", "labels": {"kubernetes.io/service-name": "hook"}}
        slice_ = {
            "metadata": meta,
            "ports": [{"name": "https", "port": server.port}],
            "endpoints": [
                {"addresses": ["192.0.2.1"], "conditions": {"ready": False}},
                {"addresses": ["127.0.0.1"], "conditions": {"ready": True}},
            ],
        }
        await store.create(("discovery.k8s.io", "endpointslices"), slice_)
        server.allow("w")
        await configure("validating", "a", self.webhook(server))
        await webhooks.validate(make())
        assert server.seen[0]["host"] == "hook.ns.svc:8443"

    @pytest.mark.usefixtures("_service")
    @pytest.mark.parametrize(
        ("service", "words"),
        [
            ({}, 'no endpoints available for service "hook"'),
            ({"port": 443}, 'no service port 443 found for service "hook"'),
            ({"name": "none"}, 'service "none" not found'),
        ],
    )
    async def test_services_that_lead_nowhere(
        self, webhooks: Webhooks, server: Any, configure: Any, make: Any, service: Any, words: str
    ) -> None:
        await configure("validating", "a", self.webhook(server, **service))
        with pytest.raises(StatusError, match=words):
            await webhooks.validate(make())


async def test_no_webhook_guards_the_webhooks(
    webhooks: Webhooks, server: Any, configure: Any, make: Any, kinds: Any
) -> None:
    server.deny("w", "you cannot remove me")
    await configure("validating", "a", server.webhook("w"))
    await webhooks.validate(make("DELETE", kinds["configurations"], namespace="", name="a"))
    assert not server.seen
