"""What may change in a pod once it exists.

Source: k8s.io/kubernetes `pkg/apis/core/validation.ValidatePodUpdate`.
"""

from __future__ import annotations

import json

from lateen.cluster.apiserver.kinds.fields import mapping, number, objects, text
from lateen.cluster.objects import Obj, deep_copy
from lateen.cluster.status import Cause, forbidden_field, invalid_value

_DETAIL = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate_pod_update(pod: Obj, old: Obj) -> list[Cause]:
    spec, old_spec = mapping(pod, "spec"), mapping(old, "spec")
    found: list[Cause] = []
    for field in ("containers", "initContainers"):
        if len(objects(spec, field)) != len(objects(old_spec, field)):
            return [forbidden_field(f"spec.{field}", "pod updates may not add or remove containers")]
    found += _validate_deadline(spec, old_spec)
    found += _validate_tolerations(spec, old_spec)
    found += _validate_gates(spec, old_spec)
    expected = deep_copy(old_spec)
    for field in ("containers", "initContainers"):
        for mine, theirs in zip(objects(expected, field), objects(spec, field), strict=True):
            if "image" in theirs:
                mine["image"] = theirs["image"]
            if not text(theirs, "image"):
                found.append(Cause("FieldValueRequired", "Required value", f"spec.{field}.image"))
    for field in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        _take(expected, spec, field)
    if number(old_spec, "terminationGracePeriodSeconds") < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        expected["terminationGracePeriodSeconds"] = 1
    if objects(old_spec, "schedulingGates"):
        # A pod that is not yet released to the scheduler may still be directed.
        for field in ("nodeSelector", "affinity"):
            _take(expected, spec, field)
    if expected != spec:
        changed = sorted(key for key in {*expected, *spec} if expected.get(key) != spec.get(key))
        shown = json.dumps({key: old_spec.get(key) for key in changed})[:400]
        found.append(forbidden_field("spec", f"{_DETAIL}\nchanged: {', '.join(changed)}; was: {shown}"))
    return found


def _take(expected: Obj, spec: Obj, field: str) -> None:
    if field in spec:
        expected[field] = spec[field]
    else:
        expected.pop(field, None)


def _validate_deadline(spec: Obj, old: Obj) -> list[Cause]:
    new, before = spec.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds")
    if before is None or new == before:
        return []
    path = "spec.activeDeadlineSeconds"
    if new is None:
        return [invalid_value(path, None, "must not update from a positive integer to nil value")]
    if new > before:
        return [invalid_value(path, new, f"must be less than or equal to previous value {before}")]
    return []


def _validate_tolerations(spec: Obj, old: Obj) -> list[Cause]:
    kept = [_without_seconds(toleration) for toleration in objects(spec, "tolerations")]
    if all(_without_seconds(toleration) in kept for toleration in objects(old, "tolerations")):
        return []
    return [forbidden_field("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")]


def _without_seconds(toleration: Obj) -> Obj:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _validate_gates(spec: Obj, old: Obj) -> list[Cause]:
    before = {text(gate, "name") for gate in objects(old, "schedulingGates")}
    added = [text(gate, "name") for gate in objects(spec, "schedulingGates") if text(gate, "name") not in before]
    if not added:
        return []
    listed = ", ".join(f'"{name}"' for name in added)
    return [
        forbidden_field("spec.schedulingGates", f"only deletion is allowed, but found new scheduling gates '{listed}'")
    ]
