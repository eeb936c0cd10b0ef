"""The rules of where a pod may run: node selectors, affinity, tolerations, spreading.

Source: k8s.io/kubernetes `pkg/apis/core/validation/validation.go`.
"""

from __future__ import annotations

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.kinds.fields import indexed, mapping, number, objects, strings, text
from lateen.cluster.apiserver.kinds.label_selectors import validate_label_selector
from lateen.cluster.apiserver.kinds.metadata_validation import validate_labels
from lateen.cluster.objects import Obj
from lateen.cluster.status import Cause, duplicate, forbidden_field, invalid_value, not_supported, required

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def validate_scheduling(spec: Obj, path: str) -> list[Cause]:
    found = validate_labels(mapping(spec, "nodeSelector"), f"{path}.nodeSelector")
    found += _validate_tolerations(spec, path)
    affinity = mapping(spec, "affinity")
    found += _validate_node_affinity(mapping(affinity, "nodeAffinity"), f"{path}.affinity.nodeAffinity")
    for field in ("podAffinity", "podAntiAffinity"):
        found += _validate_pod_affinity(mapping(affinity, field), f"{path}.affinity.{field}")
    found += _validate_spreading(spec, path)
    found += _validate_gates(spec, path)
    return found


def _validate_tolerations(spec: Obj, path: str) -> list[Cause]:
    found = []
    for at, toleration in indexed(spec, "tolerations", path):
        key, operator, effect = text(toleration, "key"), text(toleration, "operator"), text(toleration, "effect")
        value = text(toleration, "value")
        if key:
            found += [invalid_value(f"{at}.key", key, e) for e in names.qualified_name(key)]
        elif operator != "Exists":
            detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            found.append(invalid_value(f"{at}.operator", operator, detail))
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            found.append(invalid_value(f"{at}.effect", effect, detail))
        if operator in ("", "Equal"):
            found += [invalid_value(f"{at}.operator", value, e) for e in names.label_value(value)]
        elif operator == "Exists":
            if value:
                found.append(invalid_value(f"{at}.operator", value, "value must be empty when `operator` is 'Exists'"))
        else:
            found.append(not_supported(f"{at}.operator", operator, ["Equal", "Exists"]))
        if effect and effect not in EFFECTS:
            found.append(not_supported(f"{at}.effect", effect, EFFECTS))
    return found


def _validate_node_affinity(affinity: Obj, path: str) -> list[Cause]:
    found = []
    hard = affinity.get(_REQUIRED)
    if isinstance(hard, dict):
        if not objects(hard, "nodeSelectorTerms"):
            detail = "must have at least one node selector term"
            found.append(required(f"{path}.{_REQUIRED}.nodeSelectorTerms", detail))
        for at, term in indexed(hard, "nodeSelectorTerms", f"{path}.{_REQUIRED}"):
            found += _validate_node_term(term, at)
    for at, term in indexed(affinity, _PREFERRED, path):
        found += _validate_weight(term, at)
        found += _validate_node_term(mapping(term, "preference"), f"{at}.preference")
    return found


def _validate_node_term(term: Obj, path: str) -> list[Cause]:
    found = []
    for at, expression in indexed(term, "matchExpressions", path):
        operator, values, key = text(expression, "operator"), strings(expression, "values"), text(expression, "key")
        if operator in ("In", "NotIn") and not values:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            found.append(required(f"{at}.values", detail))
        elif operator in ("Exists", "DoesNotExist") and values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(forbidden_field(f"{at}.values", detail))
        elif operator in ("Gt", "Lt") and len(values) != 1:
            detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            found.append(required(f"{at}.values", detail))
        elif operator not in ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"):
            found.append(invalid_value(f"{at}.operator", operator, "not a valid selector operator"))
        found += [invalid_value(f"{at}.key", key, e) for e in names.qualified_name(key)]
    return found


def _validate_weight(term: Obj, path: str) -> list[Cause]:
    weight = number(term, "weight")
    return [] if 1 <= weight <= 100 else [invalid_value(f"{path}.weight", weight, "must be in the range 1-100")]


def _validate_pod_affinity(affinity: Obj, path: str) -> list[Cause]:
    found = []
    for at, term in indexed(affinity, _REQUIRED, path):
        found += _validate_pod_term(term, at)
    for at, weighted in indexed(affinity, _PREFERRED, path):
        found += _validate_weight(weighted, at)
        found += _validate_pod_term(mapping(weighted, "podAffinityTerm"), f"{at}.podAffinityTerm")
    return found


def _validate_pod_term(term: Obj, path: str) -> list[Cause]:
    found = []
    for field in ("labelSelector", "namespaceSelector"):
        found += validate_label_selector(mapping(term, field), f"{path}.{field}")
    topology = text(term, "topologyKey")
    if not topology:
        found.append(required(f"{path}.topologyKey", "can not be empty"))
    else:
        found += [invalid_value(f"{path}.topologyKey", topology, e) for e in names.qualified_name(topology)]
    return found


def _validate_spreading(spec: Obj, path: str) -> list[Cause]:
    found = []
    seen: set[tuple[str, str]] = set()
    for at, constraint in indexed(spec, "topologySpreadConstraints", path):
        skew, key = number(constraint, "maxSkew"), text(constraint, "topologyKey")
        unsatisfiable = text(constraint, "whenUnsatisfiable")
        if skew <= 0:
            found.append(invalid_value(f"{at}.maxSkew", skew, "must be greater than zero"))
        if not key:
            found.append(required(f"{at}.topologyKey", "can not be empty"))
        if unsatisfiable not in ("DoNotSchedule", "ScheduleAnyway"):
            supported = ["DoNotSchedule", "ScheduleAnyway"]
            found.append(not_supported(f"{at}.whenUnsatisfiable", unsatisfiable, supported))
        if (key, unsatisfiable) in seen:
            found.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {unsatisfiable}}}"))
        seen.add((key, unsatisfiable))
        found += validate_label_selector(mapping(constraint, "labelSelector"), f"{at}.labelSelector")
    return found


def _validate_gates(spec: Obj, path: str) -> list[Cause]:
    found = []
    seen: set[str] = set()
    for at, gate in indexed(spec, "schedulingGates", path):
        name = text(gate, "name")
        found += [invalid_value(f"{at}", name, e) for e in names.qualified_name(name)]
        if name in seen:
            found.append(duplicate(at, name))
        seen.add(name)
    if seen and text(spec, "nodeName"):
        detail = "cannot be set until all schedulingGates have been cleared"
        found.append(forbidden_field(f"{path}.nodeName", detail))
    return found
