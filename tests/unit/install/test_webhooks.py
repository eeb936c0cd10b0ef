"""Which pods are shown to which injector: the configurations' selectors, judged as the API server does."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.testing.installations import Objects


def _matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    for each in selector["matchExpressions"]:
        value, values = labels.get(each["key"]), each.get("values", [])
        match each["operator"]:
            case "In":
                good = value in values
            case "NotIn":
                good = value not in values
            case "DoesNotExist":
                good = value is None
            case _:
                raise AssertionError(each)
        if not good:
            return False
    return True


def _called(objects: Objects, namespace: dict[str, str], pod: dict[str, str]) -> list[str]:
    return [
        f"{found['metadata']['name']}/{webhook['name'].removesuffix('.sidecar-injector.istio.io')}"
        for found in objects.of("MutatingWebhookConfiguration")
        for webhook in found["webhooks"]
        if _matches(webhook["namespaceSelector"], namespace) and _matches(webhook["objectSelector"], pod)
    ]


_ENABLED = {"istio-injection": "enabled"}
_DISABLED = {"istio-injection": "disabled"}
_YES, _NO = {"sidecar.istio.io/inject": "true"}, {"sidecar.istio.io/inject": "false"}
_OURS, _OTHER = {"istio.io/rev": "default"}, {"istio.io/rev": "blue"}


@pytest.mark.parametrize(
    ("namespace", "pod", "called"),
    [
        ({}, {}, ""),
        ({}, _YES, "object"),
        ({}, _NO, ""),
        (_ENABLED, {}, "namespace"),
        (_ENABLED, _YES, "namespace"),
        (_ENABLED, _NO, ""),
        (_DISABLED, {}, ""),
        (_DISABLED, _YES, ""),
        (_OURS, {}, "rev.namespace"),
        (_OURS, _NO, ""),
        (_OTHER, {}, ""),
        (_OTHER, _YES, ""),
        (_ENABLED | _OTHER, {}, "namespace"),
        ({}, _OURS, "rev.object"),
        ({}, _OURS | _NO, ""),
        ({}, _OTHER | _YES, ""),
        (_DISABLED, _OURS, ""),
    ],
)
def test_the_default_revision(namespace: dict[str, str], pod: dict[str, str], called: str) -> None:
    found = _called(Objects("profile=minimal"), namespace, pod)
    assert found == ([f"istio-sidecar-injector/{called}"] if called else [])


@pytest.mark.parametrize(
    ("namespace", "pod", "called"),
    [
        (_ENABLED, {}, []),
        ({}, _YES, []),
        (_OTHER, {}, ["istio-sidecar-injector-blue/rev.namespace"]),
        (_OTHER, _NO, []),
        (_OTHER | _ENABLED, {}, []),
        ({}, _OTHER, ["istio-sidecar-injector-blue/rev.object"]),
        ({"istio.io/rev": "prod"}, {}, ["istio-revision-tag-prod/rev.namespace"]),
        ({}, {"istio.io/rev": "prod"}, ["istio-revision-tag-prod/rev.object"]),
    ],
)
def test_a_revision_with_a_tag(namespace: dict[str, str], pod: dict[str, str], called: list[str]) -> None:
    objects = Objects("profile=minimal", "revision=blue", "values.revisionTags[0]=prod")
    assert _called(objects, namespace, pod) == called


def test_the_tag_default_takes_the_place_of_the_default_revision() -> None:
    tagged = Objects("profile=minimal", "revision=blue", "values.revisionTags[0]=default")
    assert _called(tagged, _ENABLED, {}) == ["istio-revision-tag-default/namespace"]
    assert _called(tagged, {}, _YES) == ["istio-revision-tag-default/object"]
    assert "istiod-default-validator" in tagged.names("ValidatingWebhookConfiguration")
    untagged = Objects("profile=minimal", "revision=blue")
    assert untagged.names("ValidatingWebhookConfiguration") == ["istio-validator-blue-istio-system"]


def test_namespaces_without_labels_by_wish() -> None:
    objects = Objects("profile=minimal", "values.sidecarInjectorWebhook.enableNamespacesByDefault=true")
    assert _called(objects, {}, {}) == ["istio-sidecar-injector/auto"]
    assert _called(objects, {"kubernetes.io/metadata.name": "kube-system"}, {}) == []
    assert _called(objects, _DISABLED, {}) == []
    assert _called(objects, {}, _NO) == []


def test_webhooks_lead_to_the_control_plane_of_the_revision() -> None:
    for flags, name in (((), "istiod"), (("revision=blue",), "istiod-blue")):
        objects = Objects("profile=minimal", *flags)
        service = objects.named("Service", name)
        ports = [port["port"] for port in service["spec"]["ports"]]
        for kind, path, effects in (
            ("MutatingWebhookConfiguration", "/inject", "NoneOnDryRun"),
            ("ValidatingWebhookConfiguration", "/validate", "None"),
        ):
            for found in objects.of(kind):
                for webhook in found["webhooks"]:
                    client = webhook["clientConfig"]["service"]
                    assert (client["name"], client["namespace"], client["path"]) == (name, "istio-system", path)
                    assert client["port"] in ports
                    assert webhook["sideEffects"] == effects
                    assert "caBundle" not in webhook["clientConfig"]


def test_injection_fails_closed_and_validation_open_until_it_works() -> None:
    objects = Objects("profile=minimal")
    for kind, policy in (("MutatingWebhookConfiguration", "Fail"), ("ValidatingWebhookConfiguration", "Ignore")):
        for found in objects.of(kind):
            assert {webhook["failurePolicy"] for webhook in found["webhooks"]} == {policy}


def test_switches() -> None:
    assert not Objects("values.global.operatorManageWebhooks=true").of("MutatingWebhookConfiguration")
    assert not Objects("values.global.configValidation=false").of("ValidatingWebhookConfiguration")


def test_another_namespace_names_its_injector() -> None:
    objects = Objects("profile=minimal", "namespace=mesh")
    assert objects.names("MutatingWebhookConfiguration") == ["istio-sidecar-injector-mesh"]
    assert "istio-validator-mesh" in objects.names("ValidatingWebhookConfiguration")
