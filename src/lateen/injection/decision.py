"""Whether a pod that came to the webhook is injected, and why: Istio's table, in Istio's order.

Which pods come at all, by labels of the namespace and of the pod, is for the webhook's selectors (`webhook_match.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lateen.api.mesh.label_selector import LabelSelector
from lateen.injection.configuration import InjectionConfig
from lateen.injection.names import INJECT
from lateen.injection.values import AutoInject

IGNORED_NAMESPACES: Final = frozenset(("kube-system", "kube-public", "kube-node-lease", "local-path-storage"))
"""Those of Kubernetes itself."""
_LONGEST: Final = 63
"""Characters of a label's value."""
_YES: Final = frozenset(("y", "yes", "true", "on"))


class Decision(msgspec.Struct, frozen=True):
    inject: bool
    reason: str
    """In words, for people."""


def decide(pod: Mapping[str, Any], namespace: str, injection: InjectionConfig) -> Decision:
    """Of a pod as JSON. `namespace` counts where the pod's own metadata has none."""
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    labels = metadata.get("labels") or {}
    if spec.get("hostNetwork"):
        return Decision(False, "the pod uses the node's network (hostNetwork): its rules would be the node's")
    if (metadata.get("namespace") or namespace) in IGNORED_NAMESPACES:
        return Decision(False, f"namespace {metadata.get('namespace') or namespace} is one of Kubernetes' own")
    if _is_windows(spec):
        return Decision(False, "the pod runs on Windows, where there is no capture")
    asked = _asked(labels, metadata.get("annotations") or {})
    if asked is not None:
        return asked
    for name, selectors, inject in (
        ("neverInjectSelector", injection.never_inject, False),
        ("alwaysInjectSelector", injection.always_inject, True),
    ):
        place = next((i for i, each in enumerate(selectors) if _selects(each, labels)), None)
        if place is not None:
            return Decision(inject, f"{name}[{place}] of the injection's configuration selects the pod")
    if injection.policy is AutoInject.ENABLED:
        return Decision(True, "policy is enabled, and the pod says nothing else")
    return Decision(False, f"policy is disabled, and the pod has no label {INJECT}=true")


def _asked(labels: Mapping[str, str], annotations: Mapping[str, str]) -> Decision | None:
    """By the pod itself; the label counts over the deprecated annotation."""
    what, text = ("label", labels[INJECT]) if INJECT in labels else ("annotation", annotations.get(INJECT, ""))
    if not text:
        return None
    said = str(text)
    return Decision(said.lower() in _YES, f"the pod has the {what} {INJECT}={said[:_LONGEST]}")


def _is_windows(spec: Mapping[str, Any]) -> bool:
    system = (spec.get("os") or {}).get("name") or (spec.get("nodeSelector") or {}).get("kubernetes.io/os")
    return system == "windows"


def _selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """An empty one selects nothing here, as in Istio."""
    return bool(selector.match_labels or selector.match_expressions) and selector.matches(labels)
