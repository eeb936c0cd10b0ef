"""Which pod is meant by `NAME`, `NAME.NAMESPACE`, `deployment/NAME`, `svc/NAME.NAMESPACE` and the like."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, Final

from lateen.inspection.port_forward import Pod
from lateen.sources.kubernetes.client import ApiError, Client

PROXY_CONTAINER: Final = "istio-proxy"
_CORE: Final = "/api/v1"
_APPS: Final = "/apis/apps/v1"
_KINDS: Final = {
    **dict.fromkeys(("pod", "pods", "po"), (_CORE, "pods")),
    **dict.fromkeys(("service", "services", "svc"), (_CORE, "services")),
    **dict.fromkeys(("replicationcontroller", "replicationcontrollers", "rc"), (_CORE, "replicationcontrollers")),
    **dict.fromkeys(("deployment", "deployments", "deploy", "deployment.apps"), (_APPS, "deployments")),
    **dict.fromkeys(("replicaset", "replicasets", "rs"), (_APPS, "replicasets")),
    **dict.fromkeys(("statefulset", "statefulsets", "sts"), (_APPS, "statefulsets")),
    **dict.fromkeys(("daemonset", "daemonsets", "ds"), (_APPS, "daemonsets")),
    **dict.fromkeys(("job", "jobs"), ("/apis/batch/v1", "jobs")),
}  # fmt: skip
_NEAR: Final = 3
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


class NoPod(LookupError):
    """Nothing of that name, or nothing that can be asked; says what there is, or what to do."""


async def find_pods(client: Client, text: str, namespace: str) -> list[Pod]:
    """The running pods that are meant, best first: exactly one for the name of a pod. Raises NoPod.

    `namespace` is meant where `text` does not end with one.
    """
    kind, slash, rest = text.rpartition("/")
    if slash and kind not in _KINDS:
        raise NoPod(
            f"{text}: {kind} is not a kind with pods; there are {', '.join(sorted({k for _, k in _KINDS.values()}))}"
        )
    base, plural = _KINDS[kind or "pod"]
    name, dot, named = rest.rpartition(".")
    name, namespace = (name, named) if dot else (rest, namespace)
    if not name:
        raise NoPod(f"{text}: NAME, NAME.NAMESPACE or KIND/NAME is expected")
    if not all(_NAME.fullmatch(each) for each in (name, namespace)):
        raise NoPod(f"{text}: names are of lower-case letters, digits, dots and dashes")
    try:
        found = await client.get(f"{base}/namespaces/{namespace}/{plural}/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
        raise NoPod(await _not_found(client, base, plural, name, namespace)) from error
    if plural == "pods":
        return [Pod(namespace, name)]
    selector = (found.get("spec") or {}).get("selector")
    # A Service's is of labels alone.
    wanted = {"matchLabels": selector} if plural in ("services", "replicationcontrollers") else selector
    pods = await select_pods(client, namespace, label_selector(wanted or {}))
    if not pods:
        raise NoPod(f"{plural.removesuffix('s')} {name} in namespace {namespace} has no running pod")
    return pods


async def find_proxy(client: Client, text: str, namespace: str) -> Pod:
    """The pod that is meant, which has a sidecar or is a gateway. Raises NoPod."""
    pod = (await find_pods(client, text, namespace))[0]
    found = await client.get(f"{_CORE}/namespaces/{pod.namespace}/pods/{pod.name}")
    spec = found.get("spec") or {}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    if not any(each.get("name") == PROXY_CONTAINER for each in containers):
        raise NoPod(
            f"pod {pod} has no proxy (no container {PROXY_CONTAINER}). To inject one: "
            f"`kubectl label namespace {pod.namespace} istio-injection=enabled`, and restart what made the pod, as by "
            f"`kubectl rollout restart deployment -n {pod.namespace}`"
        )
    return pod


async def select_pods(client: Client, namespace: str, selector: str) -> list[Pod]:
    """Running ones by labels, those that are ready first."""
    found = await client.get(f"{_CORE}/namespaces/{namespace}/pods", {"labelSelector": selector})
    running = [
        each
        for each in found.get("items") or ()
        if (each.get("status") or {}).get("phase") == "Running" and not each["metadata"].get("deletionTimestamp")
    ]
    running.sort(key=lambda each: (not _is_ready(each), each["metadata"]["name"]))
    return [Pod(namespace, str(each["metadata"]["name"])) for each in running]


async def idle_pods(client: Client, namespace: str, selector: str) -> list[str]:
    """Those by labels that do not run, in words: `istiod-1 is Pending`."""
    found = await client.get(f"{_CORE}/namespaces/{namespace}/pods", {"labelSelector": selector})
    phases = [
        (str(each["metadata"]["name"]), str((each.get("status") or {}).get("phase", "Pending")))
        for each in found.get("items") or ()
    ]
    return [f"{name} is {phase}" for name, phase in sorted(phases) if phase != "Running"]


def label_selector(selector: Mapping[str, Any]) -> str:
    """A LabelSelector in the form of a query."""
    terms = [f"{name}={value}" for name, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        values = f"({','.join(each.get('values') or ())})"
        terms.append(
            {
                "In": f"{each['key']} in {values}",
                "NotIn": f"{each['key']} notin {values}",
                "Exists": str(each["key"]),
                "DoesNotExist": f"!{each['key']}",
            }[each["operator"]]
        )
    return ",".join(terms)


async def _not_found(client: Client, base: str, plural: str, name: str, namespace: str) -> str:
    kind = plural.removesuffix("s")
    listed = await client.get(f"{base}/namespaces/{namespace}/{plural}")
    names = [str(each["metadata"]["name"]) for each in listed.get("items") or ()]
    words = f"there is no {kind} {name} in namespace {namespace}"
    near = difflib.get_close_matches(name, names, _NEAR) or sorted(each for each in names if name in each)[:_NEAR]
    if near:
        return f"{words}; did you mean {' or '.join(near)}?"
    if names:
        return f"{words}; there are {', '.join(sorted(names)[:10])}{', ...' if len(names) > 10 else ''}"
    return f"{words}, and no other either; name its namespace with -n, or write {name}.NAMESPACE"


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
