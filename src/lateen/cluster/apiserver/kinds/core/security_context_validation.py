"""The rules of security contexts.

Source: k8s.io/kubernetes `pkg/apis/core/validation/validation.go`.
"""

from __future__ import annotations

from lateen.cluster.apiserver.kinds.fields import indexed, mapping, number, strings, text
from lateen.cluster.objects import Obj
from lateen.cluster.status import Cause, forbidden_field, invalid_value, not_supported, required

_ID_RANGE = "must be between 0 and 2147483647, inclusive"
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")


def validate_container_security_context(context: Obj, path: str) -> list[Cause]:
    found = _validate_ids(context, path, ("runAsUser", "runAsGroup"))
    found += _validate_profiles(context, path)
    if context.get("procMount") not in (None, "Default", "Unmasked"):
        found.append(not_supported(f"{path}.procMount", context["procMount"], ["Default", "Unmasked"]))
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            found.append(invalid_value(path, context, detail))
        elif "SYS_ADMIN" in (cap.removeprefix("CAP_") for cap in strings(mapping(context, "capabilities"), "add")):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            found.append(invalid_value(path, context, detail))
    return found


def validate_pod_security_context(context: Obj, spec: Obj, path: str) -> list[Cause]:
    found = _validate_ids(context, path, ("fsGroup", "runAsUser", "runAsGroup"))
    found += _validate_profiles(context, path)
    for i, group in enumerate(context.get("supplementalGroups") or ()):
        if not 0 <= group <= 2**31 - 1:
            found.append(invalid_value(f"{path}.supplementalGroups[{i}]", group, _ID_RANGE))
    if context.get("fsGroupChangePolicy") not in (None, "Always", "OnRootMismatch"):
        policy = context["fsGroupChangePolicy"]
        found.append(not_supported(f"{path}.fsGroupChangePolicy", policy, ["Always", "OnRootMismatch"]))
    names_seen = set()
    for at, sysctl in indexed(context, "sysctls", path):
        name = text(sysctl, "name")
        if not name:
            found.append(required(f"{at}.name"))
        elif name in names_seen:
            found.append(Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{at}.name"))
        names_seen.add(name)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        found.append(invalid_value("spec.shareProcessNamespace", True, detail))
    return found


def _validate_ids(context: Obj, path: str, fields: tuple[str, ...]) -> list[Cause]:
    return [
        invalid_value(f"{path}.{field}", context[field], _ID_RANGE)
        for field in fields
        if context.get(field) is not None and not 0 <= number(context, field) <= 2**31 - 1
    ]


def _validate_profiles(context: Obj, path: str) -> list[Cause]:
    found = []
    for field in ("seccompProfile", "appArmorProfile"):
        profile = context.get(field)
        if not isinstance(profile, dict):
            continue
        at, kind = f"{path}.{field}", text(profile, "type")
        if not kind:
            found.append(required(f"{at}.type", "type is required when seccompProfile is set"))
        elif kind not in _PROFILES:
            found.append(not_supported(f"{at}.type", kind, _PROFILES))
        elif kind == "Localhost" and not profile.get("localhostProfile"):
            detail = "must be set when seccomp type is Localhost"
            found.append(required(f"{at}.localhostProfile", detail))
        elif kind != "Localhost" and profile.get("localhostProfile") is not None:
            detail = f"can only be set when type is Localhost, is {kind}"
            found.append(forbidden_field(f"{at}.localhostProfile", detail))
    return found
