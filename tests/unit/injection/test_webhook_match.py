"""What `check-inject` says of registrations, in istioctl's words; those that the installation makes are the cases."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.injection.webhook_match import matches
from lateen.testing.installations import Objects

_ENABLED, _DISABLED = {"istio-injection": "enabled"}, {"istio-injection": "disabled"}
_YES, _NO = {"sidecar.istio.io/inject": "true"}, {"sidecar.istio.io/inject": "false"}


@pytest.fixture(scope="module")
def default() -> list[dict[str, Any]]:
    return Objects().of("MutatingWebhookConfiguration")


@pytest.fixture(scope="module")
def canary() -> list[dict[str, Any]]:
    return Objects("revision=canary").of("MutatingWebhookConfiguration")


@pytest.mark.parametrize(
    ("namespace", "pod", "selected", "reason"),
    [
        (_ENABLED, {}, True, "Namespace label istio-injection=enabled matches"),
        (_ENABLED, _YES, True,
         "Namespace label istio-injection=enabled matches, and pod label sidecar.istio.io/inject=true matches"),
        (_ENABLED, _NO, False, "Pod has sidecar.istio.io/inject=false label, preventing injection"),
        (_DISABLED, _YES, False, "Namespace has istio-injection=disabled label, preventing injection"),
        ({}, _YES, True, "Pod label sidecar.istio.io/inject=true matches"),
        ({"istio.io/rev": "default"}, {}, True, "Namespace label istio.io/rev=default matches"),
        ({}, {"istio.io/rev": "default"}, True, "Pod label istio.io/rev=default matches"),
    ],
)  # fmt: skip
def test_the_default_revision(
    default: list[dict[str, Any]], namespace: dict[str, str], pod: dict[str, str], selected: bool, reason: str
) -> None:
    (found,) = matches(default, namespace, pod)
    assert found.name == "istio-sidecar-injector"
    assert found.revision == "default"
    assert (found.selected, found.reason) == (selected, reason)


def test_what_would_have_to_be_there(default: list[dict[str, Any]]) -> None:
    (found,) = matches(default, {}, {})
    assert not found.selected
    assert found.reason == (
        "No matching namespace labels (istio.io/rev=default, istio-injection=enabled) "
        "or pod labels (istio.io/rev=default, sidecar.istio.io/inject=true)"
    )


def test_a_revision(canary: list[dict[str, Any]]) -> None:
    (found,) = matches(canary, {"istio.io/rev": "canary"}, {})
    assert (found.name, found.revision, found.selected) == ("istio-sidecar-injector-canary", "canary", True)
    assert not matches(canary, _ENABLED, {})[0].selected


def test_registrations_of_others_are_not_told_of(default: list[dict[str, Any]]) -> None:
    other = {"metadata": {"name": "other"}, "webhooks": [{"name": "defaulter.example.com"}]}
    assert [found.name for found in matches([other, *default], {}, {})] == ["istio-sidecar-injector"]


def test_a_registration_that_was_deactivated() -> None:
    never = {"matchLabels": {"istio.io/deactivated": "never-match"}}
    webhook = {"name": "rev.namespace.sidecar-injector.istio.io", "namespaceSelector": never, "objectSelector": never}
    (found,) = matches([{"metadata": {"name": "old"}, "webhooks": [webhook]}], _ENABLED, {})
    assert found.reason == "The injection webhook is deactivated, and will never match labels."
