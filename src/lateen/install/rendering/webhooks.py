"""Webhook configurations: which pods are shown to the injector, which resources to the validator.

The tables of selectors are Istio's: a label of the namespace goes before one of the pod, `istio-injection` before
`istio.io/rev`. Configurations are made without CA bundle; the control plane puts in the one that it has.
"""

from __future__ import annotations

from typing import Any, Final

from lateen.api.kinds import MESH_GROUPS
from lateen.install.names import TAG
from lateen.install.values.operator import Operator
from lateen.model.revision import of_revision

_INJECTION: Final = "istio-injection"
_REVISION: Final = "istio.io/rev"
_INJECT: Final = "sidecar.istio.io/inject"
_SYSTEM: Final = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")
_DEFAULT: Final = "default"
_SECONDS: Final = 10
"""How long the API server waits for an answer."""


def injecting_webhooks(operator: Operator, labels: dict[str, str]) -> list[dict[str, Any]]:
    """One configuration for the revision, one for each tag of it."""
    revision = operator.revision or _DEFAULT
    suffix = "" if operator.namespace == "istio-system" else f"-{operator.namespace}"
    found = [_configuration(operator, of_revision("istio-sidecar-injector", operator.revision) + suffix, revision)]
    for tag in operator.values.revision_tags:
        made = _configuration(operator, f"istio-revision-tag-{tag}{suffix}", tag)
        made["metadata"]["labels"] = {TAG: tag}
        found.append(made)
    for each in found:
        metadata = each["metadata"]
        metadata["labels"] = {**labels, "app": "sidecar-injector", **metadata.get("labels", {})}
        if operator.values.sidecar_injector_webhook_annotations:
            metadata["annotations"] = dict(operator.values.sidecar_injector_webhook_annotations)
    return found


def validating_webhooks(operator: Operator, labels: dict[str, str]) -> list[dict[str, Any]]:
    """For resources that name the revision, and for those that name none if this is the default one."""
    revision = operator.revision or _DEFAULT
    name = f"{of_revision('istio-validator', operator.revision)}-{operator.namespace}"
    chosen = _validating(operator, name, "rev.validation.istio.io", _expression(_REVISION, "In", revision))
    found = [chosen]
    if _is_default(operator):
        without = _expression(_REVISION, "DoesNotExist")
        found.append(_validating(operator, "istiod-default-validator", "validation.istio.io", without))
    for each in found:
        each["metadata"]["labels"] = {**labels, "app": "istiod", "istio": "istiod"}
    return found


def _is_default(operator: Operator) -> bool:
    """Whether resources that name no revision are this one's to judge."""
    default = operator.values.default_revision
    return bool(default) and (default == (operator.revision or _DEFAULT) or _DEFAULT in operator.values.revision_tags)


def _configuration(operator: Operator, name: str, selected: str) -> dict[str, Any]:
    """`selected`: the revision or tag that labels name."""
    webhooks = [
        _injecting(
            operator,
            "rev.namespace.",
            [_expression(_REVISION, "In", selected), _expression(_INJECTION, "DoesNotExist")],
            [_expression(_INJECT, "NotIn", "false")],
        ),
        _injecting(
            operator,
            "rev.object.",
            [_expression(_REVISION, "DoesNotExist"), _expression(_INJECTION, "DoesNotExist")],
            [_expression(_INJECT, "NotIn", "false"), _expression(_REVISION, "In", selected)],
        ),
    ]
    if selected == _DEFAULT:
        unlabelled = [_expression(_INJECTION, "DoesNotExist"), _expression(_REVISION, "DoesNotExist")]
        webhooks += [
            _injecting(
                operator,
                "namespace.",
                [_expression(_INJECTION, "In", "enabled")],
                [_expression(_INJECT, "NotIn", "false")],
            ),
            _injecting(
                operator,
                "object.",
                unlabelled,
                [_expression(_INJECT, "In", "true"), _expression(_REVISION, "DoesNotExist")],
            ),
        ]
        if operator.values.sidecar_injector_webhook.enable_namespaces_by_default:
            others = _expression("kubernetes.io/metadata.name", "NotIn", *_SYSTEM)
            nothing = [_expression(_INJECT, "DoesNotExist"), _expression(_REVISION, "DoesNotExist")]
            webhooks.append(_injecting(operator, "auto.", [*unlabelled, others], nothing))
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": webhooks,
    }


def _injecting(
    operator: Operator, prefix: str, namespaces: list[dict[str, Any]], pods: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "name": f"{prefix}sidecar-injector.istio.io",
        "clientConfig": {"service": _service(operator, "/inject")},
        "rules": [
            {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "*"}
        ],
        "failurePolicy": "Fail",
        # Events tell why a pod was not injected.
        "sideEffects": "NoneOnDryRun",
        "reinvocationPolicy": operator.values.sidecar_injector_webhook.reinvocation_policy,
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": _SECONDS,
        "matchPolicy": "Equivalent",
        "namespaceSelector": {"matchExpressions": namespaces},
        "objectSelector": {"matchExpressions": pods},
    }


def _validating(operator: Operator, name: str, webhook: str, objects: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": webhook,
                "clientConfig": {"service": _service(operator, "/validate")},
                "rules": [
                    {
                        "operations": ["CREATE", "UPDATE"],
                        "apiGroups": sorted(MESH_GROUPS),
                        "apiVersions": ["*"],
                        "resources": ["*"],
                        "scope": "*",
                    }
                ],
                # Until the control plane answers; it makes it Fail then.
                "failurePolicy": "Ignore",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": _SECONDS,
                "matchPolicy": "Equivalent",
                "objectSelector": {"matchExpressions": [objects]},
            }
        ],
    }


def _service(operator: Operator, path: str) -> dict[str, Any]:
    name = of_revision("istiod", operator.revision)
    return {"name": name, "namespace": operator.namespace, "path": path, "port": 443}


def _expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})
