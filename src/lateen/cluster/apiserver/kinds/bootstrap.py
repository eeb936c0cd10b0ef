"""What a cluster has before anybody creates anything: its namespaces, and the `kubernetes` Service with its endpoints.

Source: k8s.io/kubernetes `pkg/controlplane/controller/{systemnamespaces,kubernetesservice}`.
"""

from __future__ import annotations

from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.rest.operations import Operations
from lateen.cluster.layout import Layout
from lateen.cluster.objects import GVR, Key, Obj, key_of
from lateen.cluster.status import StatusError

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_USER = User("system:apiserver", groups=("system:masters",))
_LABELS = {"component": "apiserver", "provider": "kubernetes"}


async def bootstrap(operations: Operations, registry: Registry, layout: Layout) -> None:
    """Idempotent; what exists and is right is left alone, endpoints that moved are put right."""
    for name in NAMESPACES:
        await _ensure(operations, registry, GVR("", "v1", "namespaces"), {"metadata": {"name": name}}, ())
    for gvr, wanted, fixed in (
        (GVR("", "v1", "services"), _service(layout), ()),
        (GVR("", "v1", "endpoints"), _endpoints(layout), ("subsets",)),
        (GVR("discovery.k8s.io", "v1", "endpointslices"), _slice(layout), ("endpoints", "ports")),
    ):
        await _ensure(operations, registry, gvr, wanted, fixed)


async def _ensure(operations: Operations, registry: Registry, gvr: GVR, wanted: Obj, fixed: tuple[str, ...]) -> None:
    kind = registry.get(gvr)
    if kind is None:
        raise LookupError(f"{gvr.plural} are not served")
    wanted.update(apiVersion=kind.resource.gvk.api_version, kind=kind.resource.kind)
    key: Key = key_of(wanted)
    info = RequestInfo("", "create", gvr.group, gvr.version, gvr.plural, key.namespace, key.name)
    ctx = Context(_USER, info, field_manager="kube-apiserver")
    try:
        live = operations.get(kind, key)
    except StatusError as error:
        if error.reason != "NotFound":
            raise
        await operations.create(kind, wanted, ctx)
        return
    kind.default(wanted)
    if any(live.get(field) != wanted[field] for field in fixed):
        await operations.modify(kind, key, lambda obj: {**obj, **{f: wanted[f] for f in fixed}}, ctx)


def _service(layout: Layout) -> Obj:
    return {
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": dict(_LABELS)},
        "spec": {
            "clusterIP": str(layout.api_service_ipv4),
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": layout.api_port}],
            "type": "ClusterIP",
        },
    }


def _endpoints(layout: Layout) -> Obj:
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [
            {
                "addresses": [{"ip": str(layout.host_ipv4)}],
                "ports": [{"name": "https", "port": layout.api_port, "protocol": "TCP"}],
            }
        ],
    }


def _slice(layout: Layout) -> Obj:
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [str(layout.host_ipv4)], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": layout.api_port, "protocol": "TCP"}],
    }
