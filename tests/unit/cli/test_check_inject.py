"""`lateen experimental check-inject`: whose pod is meant, and what the control plane would say of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import click
import pytest
from click.testing import CliRunner

from lateen.cli import inspection_options
from lateen.cli.check_inject import check_inject
from lateen.sources.kubernetes.client import ApiError
from lateen.testing.injected_pods import pod
from lateen.testing.installations import Objects
from lateen.testing.memory_api import MemoryApi

_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


class _Api(MemoryApi):
    async def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        answer = await self.send("GET", path)
        if answer.status != 200:
            raise ApiError(answer)
        return answer.body


class _Place(inspection_options.Place):
    def __init__(self, api: _Api, namespace: str) -> None:
        super().__init__(None, "", namespace, "istio-system")
        self._api = api

    def run(self, task: Any) -> Any:
        return asyncio.run(task(self._api, self.given_namespace or "shop"))


@pytest.fixture
def api() -> _Api:
    found = _Api()
    found.put(_WEBHOOKS, {"items": Objects().of("MutatingWebhookConfiguration")})
    found.put("/api/v1/namespaces/shop", {"metadata": {"labels": {"istio-injection": "enabled"}}})
    found.put(
        "/api/v1/namespaces/istio-system/configmaps/istio-sidecar-injector",
        {"data": {"config": "neverInjectSelector: [{matchLabels: {kind: batch}}]", "values": "{}"}},
    )
    return found


def _run(api: _Api, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr(inspection_options, "Place", lambda *given: _Place(api, given[2]))
    return CliRunner().invoke(check_inject, list(arguments))


def test_the_table_is_istioctls(api: _Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put("/api/v1/namespaces/shop/pods/web", pod())
    done = _run(api, monkeypatch, "web")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].split() == ["WEBHOOK", "REVISION", "INJECTED", "REASON"]
    assert done.stdout.splitlines()[1].split(maxsplit=3) == [
        "istio-sidecar-injector",
        "default",
        "✔",
        "Namespace label istio-injection=enabled matches",
    ]


def test_a_deployment_is_asked_about_by_its_template(api: _Api, monkeypatch: pytest.MonkeyPatch) -> None:
    template = pod(labels={"kind": "batch"})
    api.put("/apis/apps/v1/namespaces/shop/deployments/web", {"spec": {"template": template}})
    done = _run(api, monkeypatch, "deploy/web.shop")
    assert "✘" in done.stdout
    assert "matches, but neverInjectSelector[0]" in done.stdout


def test_that_pods_would_be_refused_is_said(api: _Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put("/api/v1/namespaces/shop/pods/web", pod({"sidecar.istio.io/logLevel": "loud"}))
    assert (
        "but pods are refused: metadata.annotations[sidecar.istio.io/logLevel]" in _run(api, monkeypatch, "web").stdout
    )


def test_a_pod_older_than_the_label_is_to_be_made_again(api: _Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put("/api/v1/namespaces/shop/pods/web", {**pod(), "status": {"phase": "Running"}})
    assert "The pod has no proxy" in _run(api, monkeypatch, "web").stderr


def test_labels_alone(api: _Api, monkeypatch: pytest.MonkeyPatch) -> None:
    done = _run(api, monkeypatch, "-l", "app=web,sidecar.istio.io/inject=false")
    assert "Pod has sidecar.istio.io/inject=false label, preventing injection" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["web", "-l", "a=b"], ["-l", "a"], ["gateway/web"]])
def test_what_cannot_be_asked(api: _Api, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    assert _run(api, monkeypatch, *arguments).exit_code == click.UsageError.exit_code


def test_without_a_mesh(api: _Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put(_WEBHOOKS, {"items": []})
    api.put("/api/v1/namespaces/shop/pods/web", pod())
    done = _run(api, monkeypatch, "web")
    assert done.exit_code == 1
    assert "no injection webhooks" in done.stderr
