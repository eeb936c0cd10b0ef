"""The URLs of the Kubernetes API."""

from __future__ import annotations

from urllib.parse import quote

from lateen.cluster.objects import GVR, Key


def group_path(gvr: GVR) -> str:
    return f"/apis/{gvr.group}/{gvr.version}" if gvr.group else f"/api/{gvr.version}"


def collection_path(gvr: GVR, namespace: str = "") -> str:
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"{group_path(gvr)}{scope}/{gvr.plural}"


def object_path(gvr: GVR, key: Key, subresource: str = "") -> str:
    """`subresource` may be deeper than one name (`proxy/some/path`)."""
    tail = f"/{quote(subresource)}" if subresource else ""
    return f"{collection_path(gvr, key.namespace)}/{quote(key.name, safe='')}{tail}"
