"""Which webhook registrations a pod is shown to, and why: by the labels of its namespace and its own.

The words are istioctl's (`experimental check-inject`), so that what reads them goes on to work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from lateen.api.mesh.label_selector import LabelSelector, SelectorOperator
from lateen.api.schema.decode import Decoder
from lateen.injection.names import NAMESPACE_INJECTION, REVISION

Labels = Mapping[str, str]

_DECODER: Final = Decoder(LabelSelector)
_NEVER: Final = {"istio.io/deactivated": "never-match"}
"""The selector of a registration that a newer one has taken the place of."""


class Match(msgspec.Struct, frozen=True):
    """What one registration does with the pod."""

    name: str
    revision: str
    selected: bool
    reason: str


def is_injector(configuration: Mapping[str, Any]) -> bool:
    """Whether a MutatingWebhookConfiguration is one of a mesh."""
    return any(str(each.get("name", "")).endswith("istio.io") for each in configuration.get("webhooks") or ())


def matches(configurations: Iterable[Mapping[str, Any]], namespace: Labels, pod: Labels) -> list[Match]:
    """One of each registration that is a mesh's, by name. `namespace` and `pod` are labels."""
    found = []
    for configuration in configurations:
        if is_injector(configuration):
            metadata = configuration["metadata"]
            selected, reason = _matched(configuration.get("webhooks") or (), namespace, pod)
            revision = (metadata.get("labels") or {}).get(REVISION, "")
            found.append(Match(str(metadata["name"]), revision, selected, reason))
    return sorted(found, key=lambda each: each.name)


def _matched(webhooks: Sequence[Mapping[str, Any]], namespace: Labels, pod: Labels) -> tuple[bool, str]:
    hindrance = ""
    for webhook in webhooks:
        by_namespace, by_pod = _selector(webhook, "namespaceSelector"), _selector(webhook, "objectSelector")
        namespace_fits, pod_fits = by_namespace.matches(namespace), by_pod.matches(pod)
        if namespace_fits and pod_fits:
            return True, _why(_deciding(by_namespace, namespace), _deciding(by_pod, pod))
        if namespace_fits and not hindrance:
            hindrance = _hindrance(by_pod, pod)
        elif pod_fits and not hindrance and namespace.get(NAMESPACE_INJECTION, "enabled") != "enabled":
            said = f"{NAMESPACE_INJECTION}={namespace[NAMESPACE_INJECTION]}"
            hindrance = f"Namespace has {said} label, preventing injection"
    return False, hindrance or _nothing(webhooks)


def _selector(webhook: Mapping[str, Any], name: str) -> LabelSelector:
    """An absent one selects everything. One that cannot be read, nothing: the API server takes none."""
    found, _ = _DECODER.decode(webhook.get(name) or {})
    return found if found is not None else LabelSelector(match_labels=_NEVER)


def _why(namespace: str, pod: str) -> str:
    if namespace and pod:
        return f"Namespace label {namespace} matches, and pod label {pod} matches"
    if namespace:
        return f"Namespace label {namespace} matches"
    if pod:
        return f"Pod label {pod} matches"
    return "Namespaces are injected by default, and no label says otherwise"


def _deciding(selector: LabelSelector, labels: Labels) -> str:
    """The label that the selector is about, where the object has it."""
    names = list(selector.match_labels)
    names += (
        each.key
        for each in selector.match_expressions
        if each.operator in (SelectorOperator.IN, SelectorOperator.NOT_IN, SelectorOperator.EXISTS)
    )
    asked = [name for name in names if name in labels and not name.startswith("kubernetes.io/")]
    return f"{asked[0]}={labels[asked[0]]}" if asked else ""


def _hindrance(selector: LabelSelector, labels: Labels) -> str:
    """The label by which the pod itself is left out."""
    for each in selector.match_expressions:
        forbids = each.operator in (SelectorOperator.DOES_NOT_EXIST, SelectorOperator.NOT_IN)
        if forbids and each.key in labels and not each.matches(labels):
            return f"Pod has {each.key}={labels[each.key]} label, preventing injection"
    return ""


def _nothing(webhooks: Sequence[Mapping[str, Any]]) -> str:
    wanted: dict[str, dict[str, None]] = {"namespaceSelector": {}, "objectSelector": {}}
    for webhook in webhooks:
        for name, labels in wanted.items():
            selector = _selector(webhook, name)
            if selector.match_labels == _NEVER:
                return "The injection webhook is deactivated, and will never match labels."
            labels.update({f"{key}={value}": None for key, value in selector.match_labels.items()})
            for each in selector.match_expressions:
                if each.operator is SelectorOperator.IN:
                    labels.update({f"{each.key}={value}": None for value in each.values})
    namespaces, pods = (", ".join(labels) for labels in wanted.values())
    return f"No matching namespace labels ({namespaces}) or pod labels ({pods})"
