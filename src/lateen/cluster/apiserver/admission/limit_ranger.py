"""LimitRanges: default requests and limits for containers, and bounds on them.

Source: kubernetes plugin/pkg/admission/limitranger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lateen.cluster.apiserver.admission.attributes import CREATE, Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Obj, metadata
from lateen.cluster.pod_resources import Amounts, amounts, pod_amounts
from lateen.cluster.quantity import Quantity

_ANNOTATION = "kubernetes.io/limit-ranger"


class LimitRanger(Plugin):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def mutate(self, attributes: Attributes) -> None:
        if attributes.operation != CREATE or not attributes.is_("pods") or attributes.obj is None:
            return
        defaults = _defaults(self._limits(attributes, "Container"))
        told = []
        for field, words in (("initContainers", "init container"), ("containers", "container")):
            for container in attributes.spec().get(field) or ():
                for kind, word in (("requests", "request"), ("limits", "limit")):
                    added = _fill(container, kind, defaults[kind])
                    if added:
                        told.append(f"{', '.join(added)} {word} for {words} {container.get('name')}")
        if told:
            annotations = metadata(attributes.obj).setdefault("annotations", {})
            annotations[_ANNOTATION] = "LimitRanger plugin set: " + "; ".join(told)

    async def validate(self, attributes: Attributes) -> None:
        if attributes.operation != CREATE or attributes.obj is None or attributes.subresource:
            return
        if attributes.group_resource == ("", "pods"):
            faults = list(self._pod_faults(attributes))
        elif attributes.group_resource == ("", "persistentvolumeclaims"):
            claimed = amounts((attributes.spec().get("resources") or {}).get("requests"))
            limits = self._limits(attributes, "PersistentVolumeClaim")
            faults = [fault for limit in limits for fault in _faults(limit, claimed, claimed)]
        else:
            return
        if faults:
            raise attributes.refuse(faults[0] if len(faults) == 1 else "[" + ", ".join(faults) + "]")

    def _limits(self, attributes: Attributes, kind: str) -> Iterator[Obj]:
        for limit_range in self._store.list(("", "limitranges"), attributes.namespace).items:
            for limit in (limit_range.get("spec") or {}).get("limits") or ():
                if limit.get("type") == kind:
                    yield limit

    def _pod_faults(self, attributes: Attributes) -> Iterator[str]:
        spec = attributes.spec()
        for limit in self._limits(attributes, "Container"):
            for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
                resources = container.get("resources") or {}
                yield from _faults(limit, amounts(resources.get("requests")), amounts(resources.get("limits")))
        for limit in self._limits(attributes, "Pod"):
            yield from _faults(limit, pod_amounts(spec, "requests"), pod_amounts(spec, "limits"))


def _defaults(limits: Iterable[Obj]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    for limit in limits:
        for kind, sources in (
            ("limits", ("default", "max")),
            ("requests", ("defaultRequest", "default", "max", "min")),
        ):
            for source in sources:
                for resource, amount in (limit.get(source) or {}).items():
                    found[kind].setdefault(resource, amount)
    return found


def _fill(container: Obj, kind: str, defaults: Mapping[str, str]) -> list[str]:
    """Sets what is missing; returns the names of the resources set."""
    resources = container.get("resources") or {}
    present = resources.get(kind) or {}
    added = sorted(defaults.keys() - present.keys())
    if added:
        container["resources"] = {**resources, kind: {**present, **{name: defaults[name] for name in added}}}
    return added


def _faults(limit: Obj, requests: Amounts, limits: Amounts) -> Iterator[str]:
    kind = limit.get("type")
    # For a claim there are requests alone, which both bounds are about.
    given_twice = requests is limits
    for name, bound in sorted(amounts(limit.get("min")).items()):
        said = f"minimum {name} usage per {kind} is {bound}"
        given = requests.get(name)
        yield from _bound_fault(said, "request", given, beyond=given is not None and given < bound)
    for name, bound in sorted(amounts(limit.get("max")).items()):
        word = "request" if given_twice else "limit"
        said = f"maximum {name} usage per {kind} is {bound}"
        given = limits.get(name)
        yield from _bound_fault(said, word, given, beyond=given is not None and given > bound)
    for name, ratio in sorted(amounts(limit.get("maxLimitRequestRatio")).items()):
        request, cap = requests.get(name), limits.get(name)
        said = f"{name} max limit to request ratio per {kind} is {ratio}"
        if request is None or cap is None or request.nano == 0:
            yield f"{said}, but no request is specified or request is 0"
        elif cap.nano * 10**9 > ratio.nano * request.nano:
            yield f"{said}, but provided ratio is {cap.nano / request.nano:f}"


def _bound_fault(said: str, word: str, given: Quantity | None, *, beyond: bool) -> Iterator[str]:
    if given is None:
        yield f"{said}.  No {word} is specified"
    elif beyond:
        yield f"{said}, but {word} is {given}"
