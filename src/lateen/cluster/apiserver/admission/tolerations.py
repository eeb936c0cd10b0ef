"""Pods tolerate a node that is not ready or unreachable for five minutes, unless they say otherwise.

Source: kubernetes plugin/pkg/admission/defaulttolerationseconds.
"""

from __future__ import annotations

from lateen.cluster.apiserver.admission.attributes import CREATE, Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.objects import Obj

TOLERATION_SECONDS = 300
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(Plugin):
    async def mutate(self, attributes: Attributes) -> None:
        if attributes.operation != CREATE or not attributes.is_("pods"):
            return
        spec = attributes.spec()
        tolerations: list[Obj] = spec.get("tolerations") or []
        missing = [
            {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_SECONDS}
            for taint in _TAINTS
            if not any(_concerns(toleration, taint) for toleration in tolerations)
        ]
        if missing:
            spec["tolerations"] = [*tolerations, *missing]


def _concerns(toleration: Obj, taint: str) -> bool:
    return (toleration.get("key") or taint) == taint and (toleration.get("effect") or "NoExecute") == "NoExecute"
