"""Which pod, container and node a stream is for.

Source of the messages: Kubernetes' `pkg/registry/core/pod/strategy.go`.
"""

from __future__ import annotations

from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.apiserver.streaming.backend import Backend, Kubelets
from lateen.cluster.objects import Key, Obj, name_of
from lateen.cluster.status import bad_request, not_found, service_unavailable


def pod_of(call: Call) -> Obj:
    """The pod the path names. Raises not found."""
    pod = call.server.store.get(("", "pods"), call.key)
    if pod is None:
        raise not_found("", "pods", call.key.name)
    return pod


def container_of(pod: Obj, asked: str) -> str:
    """The container asked for, or the only one. Raises bad request."""
    spec = pod.get("spec") or {}
    names = _names(spec, "containers")
    inits = _names(spec, "initContainers")
    if not asked:
        if len(names) == 1:
            return names[0]
        message = f"a container name must be specified for pod {name_of(pod)}, choose one of: [{' '.join(names)}]"
        if inits:
            message += f" or one of the init containers: [{' '.join(inits)}]"
        raise bad_request(message)
    if asked not in (*names, *inits, *_names(spec, "ephemeralContainers")):
        raise bad_request(f"container {asked} is not valid for pod {name_of(pod)}")
    return asked


def kubelet_of(call: Call, kubelets: Kubelets, pod: Obj) -> Backend:
    """The kubelet of the pod's node. Raises bad request for a pod without one, service unavailable."""
    node_name = str((pod.get("spec") or {}).get("nodeName") or "")
    if not node_name:
        raise bad_request(f"pod {name_of(pod)} does not have a host assigned")
    node = call.server.store.get(("", "nodes"), Key("", node_name))
    if node is None:
        raise service_unavailable(f'node "{node_name}" of pod {name_of(pod)} is not registered')
    return kubelets.of_node(node)


def _names(spec: Obj, field: str) -> list[str]:
    return [str(c.get("name") or "") for c in spec.get(field) or ()]
