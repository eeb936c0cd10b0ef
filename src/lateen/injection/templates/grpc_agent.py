"""`grpc-agent`: an application that is its own proxy (proxyless gRPC), and an agent that gets its certificates."""

from __future__ import annotations

from typing import Any, Final

from lateen.injection.context import Context
from lateen.injection.environment import overridden
from lateen.injection.names import REVISION
from lateen.injection.proxy_container import Role, proxy_container
from lateen.injection.templates.pod_additions import canonical_labels, default_container, group_of_files, pull_secrets
from lateen.injection.volumes import proxy_volumes

_DATA: Final = "/var/lib/istio/data"
_XDS: Final = "/etc/istio/proxy"
_AGENT: Final = {
    "ISTIO_META_GENERATOR": "grpc",
    "OUTPUT_CERTS": _DATA,
    "ISTIO_META_DNS_CAPTURE": "false",
    "DISABLE_ENVOY": "true",
}


def grpc_agent(context: Context) -> dict[str, Any]:
    """What is merged over the pod."""
    proxy = proxy_container(context, Role.SIDECAR)
    del proxy["ports"]  # Envoy's, which is not there
    proxy["env"] = overridden(proxy["env"], [{"name": name, "value": text} for name, text in _AGENT.items()])
    shared = "istio-xds"
    proxy["volumeMounts"] = [_renamed(mount, shared) for mount in proxy["volumeMounts"]]
    return {
        "metadata": {
            "labels": canonical_labels(context),
            "annotations": {
                REVISION: context.values.revision or "default",
                **default_container(context),
                "sidecar.istio.io/rewriteAppHTTPProbers": "false",
            },
        },
        "spec": {
            "initContainers": [proxy] if context.native else [],
            "containers": [*_applications(context, shared), *([] if context.native else [proxy])],
            "volumes": [_in_memory(_renamed(volume, shared)) for volume in proxy_volumes(context)],
            **pull_secrets(context),
            **group_of_files(context),
        },
    }


def _renamed(each: dict[str, Any], shared: str) -> dict[str, Any]:
    """The agent's directory is shared with the application, under Istio's name for that."""
    return {**each, "name": shared} if each["name"] == "istio-envoy" else each


def _in_memory(volume: dict[str, Any]) -> dict[str, Any]:
    """Where the key is written to: keys are in memory only."""
    return {**volume, "emptyDir": {"medium": "Memory"}} if volume["name"] == "istio-data" else volume


def _applications(context: Context, shared: str) -> list[dict[str, Any]]:
    return [
        {
            "name": container.get("name"),
            "env": [
                {"name": "GRPC_XDS_EXPERIMENTAL_SECURITY_SUPPORT", "value": "true"},
                {"name": "GRPC_XDS_BOOTSTRAP", "value": f"{_XDS}/grpc-bootstrap.json"},
            ],
            "volumeMounts": [{"mountPath": _DATA, "name": "istio-data"}, {"mountPath": _XDS, "name": shared}],
        }
        for container in context.app_containers
    ]
