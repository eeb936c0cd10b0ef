"""Why a Deployment is not ready: what its pods, their events and their logs say, and what helps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from lateen.install.cluster.places import described
from lateen.install.cluster.requests import ClusterApi, InstallError, send

_LOG_LINES: Final = 12
_EVENTS: Final = 6
_PODS: Final = 3
_WIDTH: Final = 240
"""Characters of one line."""

_HELP: Final[Mapping[str, str]] = {
    "ErrImagePull": "check --set hub=... and --set tag=..., and that nodes may pull from there "
    "(values.global.imagePullSecrets)",
    "ImagePullBackOff": "check --set hub=... and --set tag=..., and that nodes may pull from there "
    "(values.global.imagePullSecrets)",
    "ErrImageNeverPull": "check values.global.imagePullPolicy",
    "InvalidImageName": "check --set hub=... and --set tag=...",
    "CreateContainerConfigError": "something that the container refers to is not there: the message says what",
    "CrashLoopBackOff": "the container ends again and again: its last log lines say why",
    "Unschedulable": "no node has room, or none may take it: lower the requests of the component "
    "(components.X.k8s.resources.requests), or add tolerations",
    "FailedMount": "a volume is not there yet; istio-ca-root-cert is written by the control plane: see its log",
    "FailedCreate": "the cluster refuses the pods: the message says which policy or quota",
    "Unhealthy": "the container runs and does not get ready: its last log lines say why",
    "OOMKilled": "the container needs more memory: raise components.X.k8s.resources.limits",
}


async def diagnose(api: ClusterApi, deployment: Mapping[str, Any]) -> str:
    """In lines, for people. Raises nothing: what cannot be read is left out."""
    lines = [f"{described(deployment)} is not ready"]
    try:
        lines += [line async for line in _lines(api, deployment)]
    except InstallError as problem:
        lines.append(f"  (looking for the reason: {problem})")
    return "\n".join(line[:_WIDTH] for line in lines)


async def _lines(api: ClusterApi, deployment: Mapping[str, Any]) -> AsyncIterator[str]:
    namespace = deployment["metadata"]["namespace"]
    reasons: dict[str, None] = {}
    labels = deployment["spec"]["selector"]["matchLabels"]
    pods = await _pods(api, namespace, labels)
    unready = [pod for pod in pods if not _is_ready(pod)]
    for pod in unready[:_PODS]:
        name = pod["metadata"]["name"]
        yield f"  pod {name}: {(pod.get('status') or {}).get('phase', 'unknown')}"
        for reason, text in _conditions(pod):
            reasons[reason] = None
            yield f"    {text}"
        async for reason, text in _events(api, namespace, name):
            reasons[reason] = None
            yield f"    event {text}"
        async for line in _logs(api, pod):
            yield f"    {line}"
    if not pods:
        yield "  there are no pods"
        async for owner in _replica_sets(api, namespace, labels):
            # Each try tells the same, of a pod with another name.
            latest = {reason: text async for reason, text in _events(api, namespace, owner)}
            reasons |= dict.fromkeys(latest)
            for text in latest.values():
                yield f"    event {text}"
    for reason in reasons:
        if reason in _HELP:
            yield f"  {reason}: {_HELP[reason]}"
    yield f"  more: kubectl describe pods -n {namespace} -l {_selector(labels).replace(' ', '')}"


async def _pods(api: ClusterApi, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    path = f"/api/v1/namespaces/{namespace}/pods"
    answer = await send(api, "GET", path, parameters={"labelSelector": _selector(labels)})
    return list(answer.body.get("items") or ()) if answer.status == 200 else []


async def _replica_sets(api: ClusterApi, namespace: str, labels: Mapping[str, str]) -> AsyncIterator[str]:
    path = f"/apis/apps/v1/namespaces/{namespace}/replicasets"
    answer = await send(api, "GET", path, parameters={"labelSelector": _selector(labels)})
    for each in (answer.body.get("items") or ()) if answer.status == 200 else ():
        if (each.get("spec") or {}).get("replicas"):
            yield each["metadata"]["name"]


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in labels.items())


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _conditions(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Reasons, and what is said of them."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") != "True":
            yield condition.get("reason", ""), f"{condition.get('reason')}: {condition.get('message', '')}"
    for container in _containers(status):
        name, state = container.get("name"), container.get("state") or {}
        waiting = state.get("waiting") or {}
        if waiting.get("reason") and waiting["reason"] not in ("ContainerCreating", "PodInitializing"):
            yield waiting["reason"], f"container {name}: {waiting['reason']}: {waiting.get('message', '')}"
        ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
        if ended.get("reason") and ended.get("reason") != "Completed":
            again = f", started again {container['restartCount']} times" if container.get("restartCount") else ""
            text = f"container {name}: ended with {ended.get('exitCode')} ({ended['reason']}){again}"
            yield ended["reason"], f"{text} {ended.get('message', '')}".rstrip()


def _containers(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


async def _events(api: ClusterApi, namespace: str, name: str) -> AsyncIterator[tuple[str, str]]:
    """Warnings, the newest last."""
    path = f"/api/v1/namespaces/{namespace}/events"
    answer = await send(api, "GET", path, parameters={"fieldSelector": f"involvedObject.name={name}"})
    if answer.status != 200:
        return
    found = [each for each in answer.body.get("items") or () if each.get("type") == "Warning"]
    found.sort(key=lambda each: each.get("lastTimestamp") or each.get("eventTime") or "")
    for each in found[-_EVENTS:]:
        message = " ".join(str(each.get("message", "")).split())
        yield str(each.get("reason", "")), f"{each.get('reason')}: {message}"


async def _logs(api: ClusterApi, pod: Mapping[str, Any]) -> AsyncIterator[str]:
    """The last lines of containers that are not ready; of the run before, if they are between two."""
    metadata = pod["metadata"]
    for container in _containers(pod.get("status") or {}):
        state = container.get("state") or {}
        if container.get("ready") or not (state.get("running") or container.get("restartCount")):
            continue
        parameters = {"container": container["name"], "tailLines": str(_LOG_LINES)}
        if not state.get("running"):
            parameters["previous"] = "true"
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"
        try:
            text = await api.text(path, parameters)
        except OSError:
            continue
        if text.strip():
            yield f"log of {container['name']}:"
        for line in text.splitlines()[-_LOG_LINES:]:
            yield f"  | {line}"
