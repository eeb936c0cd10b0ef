"""`podFailurePolicy`: what a failed pod means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lateen.cluster.objects import Obj, name_of, namespace_of


@dataclass(frozen=True, slots=True)
class Verdict:
    """`action` is `Count`, `Ignore`, `FailIndex` or `FailJob`; the message is of the Job's condition."""

    action: str = "Count"
    message: str = ""


def judge(job: Obj, pod: Obj) -> Verdict:
    """The first rule that matches decides; without any, the failure counts."""
    rules: Iterable[Obj] = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    pod_name = f"{namespace_of(pod)}/{name_of(pod)}"
    for index, rule in enumerate(rules):
        which = f"matching {rule.get('action')} rule at index {index}"
        if rule.get("onExitCodes"):
            found = _exit_code(rule["onExitCodes"], pod)
            if found is not None:
                container, code = found
                message = f"Container {container} for pod {pod_name} failed with exit code {code} {which}"
                return Verdict(rule["action"], message)
        elif (condition := _condition(rule.get("onPodConditions") or (), pod)) is not None:
            return Verdict(rule["action"], f"Pod {pod_name} has condition {condition} {which}")
    return Verdict()


def _exit_code(rule: Obj, pod: Obj) -> tuple[str, int] | None:
    status = pod.get("status") or {}
    for container in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        if rule.get("containerName") and rule["containerName"] != container.get("name"):
            continue
        code = int(((container.get("state") or {}).get("terminated") or {}).get("exitCode") or 0)
        if code and (code in (rule.get("values") or ())) == (rule.get("operator") == "In"):
            return str(container.get("name")), code
    return None


def _condition(patterns: Iterable[Obj], pod: Obj) -> str | None:
    present = (pod.get("status") or {}).get("conditions") or ()
    for pattern in patterns:
        wanted = pattern.get("status") or "True"
        if any(c.get("type") == pattern.get("type") and c.get("status") == wanted for c in present):
            return str(pattern.get("type"))
    return None
