"""Resolves a pod's priority class to a number.

Source: kubernetes plugin/pkg/admission/priority.
"""

from __future__ import annotations

from lateen.cluster.apiserver.admission.attributes import CREATE, Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, Obj, name_of

_PRIORITY_CLASSES = ("scheduling.k8s.io", "priorityclasses")
_DEFAULT_POLICY = "PreemptLowerPriority"


class Priority(Plugin):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def mutate(self, attributes: Attributes) -> None:
        if attributes.operation != CREATE or not attributes.is_("pods"):
            return
        spec = attributes.spec()
        priority_class = self._class_of(spec, attributes)
        if priority_class is not None:
            spec["priorityClassName"] = name_of(priority_class)
        value = int((priority_class or {}).get("value") or 0)
        policy = (priority_class or {}).get("preemptionPolicy") or _DEFAULT_POLICY
        if spec.get("priority") not in (None, value):
            raise attributes.refuse(
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
                f"priority admission controller computed {value} from the given PriorityClass name"
            )
        if spec.get("preemptionPolicy") not in (None, policy):
            raise attributes.refuse(
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
                f"priority admission controller computed {policy} from the given PriorityClass name"
            )
        spec["priority"], spec["preemptionPolicy"] = value, policy

    def _class_of(self, spec: Obj, attributes: Attributes) -> Obj | None:
        name = spec.get("priorityClassName")
        if name:
            found = self._store.get(_PRIORITY_CLASSES, Key("", name))
            if found is None:
                raise attributes.refuse(f"no PriorityClass with name {name} was found")
            return found
        defaults = [c for c in self._store.list(_PRIORITY_CLASSES).items if c.get("globalDefault")]
        return min(defaults, key=lambda c: int(c.get("value") or 0), default=None)
