"""What a cluster's controllers would add to manifests, so that manifests alone describe a mesh.

Pure and deterministic: the same manifests give the same names and addresses. What the manifests say themselves is never
replaced.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Raw = Mapping[str, Any]

DEFAULT_NAMESPACE = "default"
_SERVICE_RANGE = ipaddress.IPv4Network("10.96.0.0/12")
_SERVICE_NAME_LABEL = "kubernetes.io/service-name"
_NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterTrustBundle",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job")


def complete(objects: Iterable[Raw], *, namespace: str = DEFAULT_NAMESPACE) -> list[Raw]:
    """The objects, and after them what controllers would make of them:

    - the namespace of those that name none, and a Namespace object for each namespace in use;
    - one Pod `NAME-0` for each workload none of whose Pods is there (none at zero replicas). It has no address, so it
      answers for no Service: it stands for the workload's proxy;
    - the defaults of Services' ports, and a ClusterIP from 10.96.0.0/12 for those that want one;
    - an EndpointSlice for each Service with a selector that has none, from the Pods with addresses; and one for each
      Endpoints object.

    Objects must have `kind` and `metadata.name`; anything else that is malformed is let be, for validation to report.
    """
    placed = [_placed(raw, namespace) for raw in objects]
    pods = [raw for raw in placed if raw["kind"] == "Pod"]
    made = [pod for workload in placed if workload["kind"] in _WORKLOADS for pod in _pods_of(workload, pods)]
    addresses = _Addresses(placed)
    finished = [_service(raw, addresses) if _is_service(raw) else raw for raw in placed]
    sliced = {_service_of_slice(raw) for raw in placed if raw["kind"] == "EndpointSlice"}
    mirrored = [raw for raw in placed if raw["kind"] == "Endpoints" and _identity(raw) not in sliced]
    sliced.update(_identity(raw) for raw in mirrored)
    finished += made
    finished += [each for raw in mirrored for each in _mirror(raw)]
    selecting = [raw for raw in finished if _is_service(raw) and _identity(raw) not in sliced]
    by_namespace: dict[str, list[Raw]] = {}
    for pod in pods:
        by_namespace.setdefault(_identity(pod)[0], []).append(pod)
    for service in selecting:
        finished += _slices(service, by_namespace.get(_identity(service)[0], []))
    return [*finished, *_namespaces(finished)]


# --- reading what may be malformed --------------------------------------------------------------------------------


def _map(raw: Any, *path: str) -> Mapping[str, Any]:
    """The mapping at a path; empty when there is none."""
    for name in path:
        raw = raw.get(name) if isinstance(raw, Mapping) else None
    return raw if isinstance(raw, Mapping) else {}


def _maps(raw: Any, *path: str) -> list[Mapping[str, Any]]:
    """The mappings in the list at a path."""
    found = _map(raw, *path[:-1]).get(path[-1])
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list | tuple) else []


def _identity(raw: Raw) -> tuple[str, str]:
    metadata = _map(raw, "metadata")
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def _labels(raw: Raw) -> Mapping[str, Any]:
    return _map(raw, "metadata", "labels")


def _is_service(raw: Raw) -> bool:
    return bool(raw["kind"] == "Service" and raw.get("apiVersion") == "v1")


# --- namespaces ---------------------------------------------------------------------------------------------------


def _placed(raw: Raw, namespace: str) -> Raw:
    metadata = _map(raw, "metadata")
    if raw["kind"] == "Namespace":
        labels = {_NAMESPACE_NAME_LABEL: metadata.get("name"), **_labels(raw)}
        return {**raw, "metadata": {**metadata, "labels": labels}}
    if raw["kind"] in _CLUSTER_SCOPED or metadata.get("namespace"):
        return raw
    return {**raw, "metadata": {**metadata, "namespace": namespace}}


def _namespaces(objects: list[Raw]) -> Iterator[Raw]:
    there = {_identity(raw)[1] for raw in objects if raw["kind"] == "Namespace"}
    for name in sorted({_identity(raw)[0] for raw in objects} - there - {""}):
        metadata = {"name": name, "labels": {_NAMESPACE_NAME_LABEL: name}}
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "status": {"phase": "Active"}}


# --- Pods of workloads --------------------------------------------------------------------------------------------


def _pods_of(workload: Raw, pods: list[Raw]) -> Iterator[Raw]:
    namespace, name = _identity(workload)
    template = _map(workload, "spec", "template")
    labels = dict(_labels(template))
    if workload["kind"] == "StatefulSet":
        labels |= {"statefulset.kubernetes.io/pod-name": f"{name}-0", "apps.kubernetes.io/pod-index": "0"}
    elif workload["kind"] == "Job":
        labels |= {"batch.kubernetes.io/job-name": name, "job-name": name}
    if not template or _map(workload, "spec").get("replicas") == 0:
        return
    if any(_identity(pod)[0] == namespace and _is_of(pod, workload) for pod in pods):
        return
    owner = {"apiVersion": workload.get("apiVersion"), "kind": workload["kind"], "name": name, "controller": True}
    yield {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **_map(template, "metadata"),
            "name": f"{name}-0",
            "namespace": namespace,
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": template.get("spec") or {},
        "status": {"phase": "Running"},
    }


def _is_of(pod: Raw, workload: Raw) -> bool:
    """Whether a Pod of the manifests is one of a workload's: owned by it, or chosen by its selector."""
    owners = _maps(pod, "metadata", "ownerReferences")
    if owners:
        named = {(owner.get("kind"), owner.get("name")) for owner in owners}
        name = _identity(workload)[1]
        # A Deployment's Pods belong to a ReplicaSet that is named after it.
        replica_set = workload["kind"] == "Deployment" and any(
            kind == "ReplicaSet" and str(owner).rpartition("-")[0] == name for kind, owner in named
        )
        return (workload["kind"], name) in named or replica_set
    selector = _map(workload, "spec", "selector")
    wanted = _map(selector, "matchLabels") or _labels(_map(workload, "spec", "template"))
    return bool(wanted) and wanted.items() <= _labels(pod).items()


# --- Services -----------------------------------------------------------------------------------------------------


class _Addresses:
    """Gives ClusterIPs: where a hash of the name points, or the next that is free."""

    def __init__(self, objects: list[Raw]) -> None:
        self._taken = {str(_map(raw, "spec").get("clusterIP")) for raw in objects if _is_service(raw)}

    def give(self, namespace: str, name: str) -> str:
        size = _SERVICE_RANGE.num_addresses - 2
        digest = hashlib.blake2b(f"{namespace}/{name}".encode(), digest_size=8).digest()
        offset = int.from_bytes(digest, "big") % size
        while True:
            address = str(_SERVICE_RANGE[1 + offset])
            if address not in self._taken:
                self._taken.add(address)
                return address
            offset = (offset + 1) % size


def _service(raw: Raw, addresses: _Addresses) -> Raw:
    spec = dict(_map(raw, "spec"))
    if spec.get("type") != "ExternalName" and not spec.get("clusterIP"):
        given = spec.get("clusterIPs")
        spec["clusterIP"] = given[0] if isinstance(given, list) and given else addresses.give(*_identity(raw))
    if spec.get("clusterIP"):
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
    if isinstance(spec.get("ports"), list):
        spec["ports"] = [_port(port) for port in spec["ports"]]
    return {**raw, "spec": spec}


def _port(port: Any) -> Any:
    if not isinstance(port, Mapping):
        return port
    return {**port, "protocol": port.get("protocol") or "TCP", "targetPort": port.get("targetPort") or port.get("port")}


# --- EndpointSlices -----------------------------------------------------------------------------------------------


def _service_of_slice(raw: Raw) -> tuple[str, str]:
    return _identity(raw)[0], str(_labels(raw).get(_SERVICE_NAME_LABEL) or "")


def _slices(service: Raw, pods: list[Raw]) -> Iterator[Raw]:
    """One slice for each address family and each set of port numbers that the selected Pods have."""
    selector = _map(service, "spec", "selector")
    if not selector:
        return
    grouped: dict[tuple[str, tuple[int | None, ...]], list[Raw]] = {}
    ports = _maps(service, "spec", "ports")
    unready = bool(_map(service, "spec").get("publishNotReadyAddresses"))
    for pod in sorted(pods, key=_identity):
        if not selector.items() <= _labels(pod).items() or _map(pod, "status").get("phase") in ("Succeeded", "Failed"):
            continue
        numbers = tuple(_number(port, pod) for port in ports)
        for address in _pod_addresses(pod):
            family = "IPv6" if ":" in address else "IPv4"
            grouped.setdefault((family, numbers), []).append(_endpoint(pod, address, unready))
    for count, ((family, numbers), endpoints) in enumerate(sorted(grouped.items(), key=lambda item: str(item[0]))):
        resolved = [
            _slice_port(port, number) for port, number in zip(ports, numbers, strict=True) if number is not None
        ]
        yield _slice(service, count, family, endpoints, resolved)


def _slice(service: Raw, count: int, family: str, endpoints: list[Raw], ports: list[Raw]) -> Raw:
    namespace, name = _identity(service)
    labels = {**_labels(service), _SERVICE_NAME_LABEL: name}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-{count}", "namespace": namespace, "labels": labels},
        "addressType": family,
        "endpoints": endpoints,
        "ports": ports,
    }


def _slice_port(port: Raw, number: int) -> Raw:
    optional = {"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {}
    return {"name": port.get("name") or "", "protocol": port.get("protocol") or "TCP", "port": number, **optional}


def _number(port: Raw, pod: Raw) -> int | None:
    """The number of a Service's target port in a Pod; None when the Pod has no port of that name."""
    target = port.get("targetPort")
    if isinstance(target, int):
        return target
    if isinstance(target, str) and target.isdecimal():
        return int(target)
    for container in (*_maps(pod, "spec", "containers"), *_maps(pod, "spec", "initContainers")):
        for declared in _maps(container, "ports"):
            same = (declared.get("protocol") or "TCP") == (port.get("protocol") or "TCP")
            if same and declared.get("name") == target and isinstance(declared.get("containerPort"), int):
                return int(declared["containerPort"])
    return None


def _pod_addresses(pod: Raw) -> list[str]:
    several = [str(each["ip"]) for each in _maps(pod, "status", "podIPs") if each.get("ip")]
    single = _map(pod, "status").get("podIP")
    return several or ([str(single)] if single else [])


def _endpoint(pod: Raw, address: str, unready: bool) -> Raw:
    namespace, name = _identity(pod)
    conditions = _maps(pod, "status", "conditions")
    told = [condition.get("status") == "True" for condition in conditions if condition.get("type") == "Ready"]
    serving = told[0] if told else True
    leaving = bool(_map(pod, "metadata").get("deletionTimestamp"))
    found: dict[str, Any] = {
        "addresses": [address],
        "conditions": {"ready": unready or (serving and not leaving), "serving": serving, "terminating": leaving},
        "targetRef": {"kind": "Pod", "name": name, "namespace": namespace},
    }
    if node := _map(pod, "spec").get("nodeName"):
        found["nodeName"] = node
    return found


def _mirror(endpoints: Raw) -> Iterator[Raw]:
    """The slices of a hand-written Endpoints object."""
    count = 0
    for subset in _maps(endpoints, "subsets"):
        families: dict[str, list[Raw]] = {}
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            for each in _maps(subset, field):
                address = str(each.get("ip") or "")
                conditions = {"ready": ready, "serving": ready, "terminating": False}
                family = "IPv6" if ":" in address else "IPv4"
                families.setdefault(family, []).append({"addresses": [address], "conditions": conditions})
        numbered = [port for port in _maps(subset, "ports") if isinstance(port.get("port"), int)]
        for family in sorted(families):
            yield _slice(
                endpoints, count, family, families[family], [_slice_port(port, port["port"]) for port in numbered]
            )
            count += 1
