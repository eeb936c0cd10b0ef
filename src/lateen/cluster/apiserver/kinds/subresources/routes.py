"""Which handler answers which subresource of a built-in kind."""

from __future__ import annotations

from lateen.cluster.apiserver.kinds.subresources.binding import bind
from lateen.cluster.apiserver.kinds.subresources.eviction import evict
from lateen.cluster.apiserver.kinds.subresources.object_part import APPROVAL, EPHEMERAL_CONTAINERS, FINALIZE
from lateen.cluster.apiserver.kinds.subresources.scale import scale
from lateen.cluster.apiserver.rest.call import SubresourceRoutes, VirtualRoutes


def routes() -> SubresourceRoutes:
    """(group, plural, subresource) -> handler."""
    return {
        ("", "namespaces", "finalize"): FINALIZE.handle,
        ("", "pods", "binding"): bind,
        ("", "pods", "ephemeralcontainers"): EPHEMERAL_CONTAINERS.handle,
        ("", "pods", "eviction"): evict,
        ("", "replicationcontrollers", "scale"): scale,
        ("apps", "deployments", "scale"): scale,
        ("apps", "replicasets", "scale"): scale,
        ("apps", "statefulsets", "scale"): scale,
        ("certificates.k8s.io", "certificatesigningrequests", "approval"): APPROVAL.handle,
    }


def virtual_resources() -> VirtualRoutes:
    """(group, plural) -> handler of `create`."""
    return {("", "bindings"): bind}
