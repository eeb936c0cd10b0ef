"""What counts against a ResourceQuota, and how much of it a namespace uses.

Source: kubernetes pkg/quota/v1/evaluator/core.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lateen.cluster.apiserver.store.event import GroupResource
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Obj, metadata
from lateen.cluster.pod_resources import amounts, pod_amounts
from lateen.cluster.quantity import Quantity

Usage = Mapping[str, Quantity]

ONE = Quantity(10**9)
ZERO = Quantity(0)

_COUNTED = frozenset(
    {
        "configmaps",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
    }
)
"""Core resources that a quota may bound by their plain name."""
_PODS: GroupResource = ("", "pods")
_COUNT = "count/"


def count_key(resource: GroupResource) -> str:
    """`count/pods`, `count/deployments.apps`."""
    group, plural = resource
    return f"{_COUNT}{plural}.{group}" if group else f"{_COUNT}{plural}"


def usage_of(resource: GroupResource, obj: Obj) -> dict[str, Quantity]:
    """What one object uses, by the names that quotas have for it."""
    group, plural = resource
    spec = obj.get("spec") or {}
    found = {count_key(resource): ONE}
    if resource == _PODS:
        if (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return found
        found["pods"] = ONE
        for name, amount in pod_amounts(spec, "requests").items():
            found[f"requests.{name}"] = amount
            if name in ("cpu", "memory", "ephemeral-storage"):
                found[name] = amount
        for name, amount in pod_amounts(spec, "limits").items():
            found[f"limits.{name}"] = amount
        return found
    if group == "" and plural in _COUNTED:
        found[plural] = ONE
    if resource == ("", "services"):
        ports = len(spec.get("ports") or ())
        if spec.get("type") == "LoadBalancer":
            found["services.loadbalancers"] = ONE
        if spec.get("type") == "NodePort" or (
            spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
        ):
            found["services.nodeports"] = Quantity(ports * ONE.nano)
    if resource == ("", "persistentvolumeclaims"):
        storage = amounts((spec.get("resources") or {}).get("requests")).get("storage", ZERO)
        found["requests.storage"] = storage
        if storage_class := spec.get("storageClassName"):
            found[f"{storage_class}.storageclass.storage.k8s.io/requests.storage"] = storage
            found[f"{storage_class}.storageclass.storage.k8s.io/persistentvolumeclaims"] = ONE
    return found


def resources_of(hard: Mapping[str, str]) -> Iterator[GroupResource]:
    """The collections that a quota's bounds are about, each once."""
    seen: set[GroupResource] = set()
    for name in hard:
        if name.startswith(_COUNT):
            plural, _, group = name[len(_COUNT) :].partition(".")
            resource = (group, plural)
        elif name in _COUNTED:
            resource = ("", name)
        elif name.startswith("services."):
            resource = ("", "services")
        elif name == "requests.storage" or ".storageclass.storage.k8s.io/" in name:
            resource = ("", "persistentvolumeclaims")
        else:
            resource = _PODS
        if resource not in seen:
            seen.add(resource)
            yield resource


def in_scope(quota: Obj, resource: GroupResource, obj: Obj) -> bool:
    """Whether an object counts against a quota, by the quota's scopes."""
    spec = quota.get("spec") or {}
    terms = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    terms += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return not terms or (resource == _PODS and all(_matches(term, obj.get("spec") or {}) for term in terms))


def _matches(term: Obj, spec: Obj) -> bool:
    match term.get("scopeName"):
        case "Terminating":
            return spec.get("activeDeadlineSeconds") is not None
        case "NotTerminating":
            return spec.get("activeDeadlineSeconds") is None
        case "BestEffort":
            return not pod_amounts(spec, "requests") and not pod_amounts(spec, "limits")
        case "NotBestEffort":
            return bool(pod_amounts(spec, "requests") or pod_amounts(spec, "limits"))
        case "PriorityClass":
            name, values = spec.get("priorityClassName") or "", term.get("values") or ()
            match term.get("operator"):
                case "In":
                    return name in values
                case "NotIn":
                    return name not in values
                case "Exists":
                    return bool(name)
                case "DoesNotExist":
                    return not name
    return False


def used_by(store: Store, quota: Obj) -> dict[str, Quantity]:
    """What the quota's namespace uses now of each bounded thing, counted anew."""
    hard = (quota.get("spec") or {}).get("hard") or {}
    used = dict.fromkeys(hard, ZERO)
    for resource in resources_of(hard):
        for obj in store.list(resource, str(metadata(quota).get("namespace"))).items:
            if in_scope(quota, resource, obj):
                for name, amount in usage_of(resource, obj).items():
                    if name in used:
                        used[name] = used[name] + amount
    return used
