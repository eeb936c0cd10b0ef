"""A pod gets the overhead, node selector and tolerations of its RuntimeClass, which must exist.

Source: kubernetes plugin/pkg/admission/runtimeclass. The class's handler means nothing to our nodes; the pod's own
warnings say so.
"""

from __future__ import annotations

from lateen.cluster.apiserver.admission.attributes import CREATE, Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, Obj

_CLASSES = ("node.k8s.io", "runtimeclasses")


class RuntimeClassPlugin(Plugin):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def mutate(self, attributes: Attributes) -> None:
        found = self._class_of(attributes)
        if found is None:
            return
        spec, scheduling = attributes.spec(), found.get("scheduling") or {}
        overhead = (found.get("overhead") or {}).get("podFixed")
        if overhead:
            if spec.get("overhead") not in (None, {}, overhead):
                raise attributes.refuse("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
            spec["overhead"] = dict(overhead)
        selector = spec.get("nodeSelector") or {}
        for label, value in (scheduling.get("nodeSelector") or {}).items():
            if selector.get(label, value) != value:
                detail = f"pod rejected: conflict: runtimeClass.scheduling.nodeSelector[{label}] = {value}; "
                raise attributes.refuse(f"{detail}pod.spec.nodeSelector[{label}] = {selector[label]}")
            selector = {**selector, label: value}
        if selector:
            spec["nodeSelector"] = selector
        tolerations: list[Obj] = spec.get("tolerations") or []
        if missing := [t for t in scheduling.get("tolerations") or () if t not in tolerations]:
            spec["tolerations"] = [*tolerations, *missing]

    async def validate(self, attributes: Attributes) -> None:
        found = self._class_of(attributes)
        if attributes.operation != CREATE or not attributes.is_("pods"):
            return
        defined = ((found or {}).get("overhead") or {}).get("podFixed")
        if attributes.spec().get("overhead") and not defined:
            detail = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            raise attributes.refuse(detail)

    def _class_of(self, attributes: Attributes) -> Obj | None:
        """The class that a new pod names. Raises forbidden when there is none of that name."""
        if attributes.operation != CREATE or not attributes.is_("pods"):
            return None
        name = attributes.spec().get("runtimeClassName")
        if not name:
            return None
        found = self._store.get(_CLASSES, Key("", str(name)))
        if found is None:
            raise attributes.refuse(f'pod rejected: RuntimeClass "{name}" not found')
        return found
