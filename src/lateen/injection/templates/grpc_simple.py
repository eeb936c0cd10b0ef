"""`grpc-simple`: an application that is its own proxy, in plaintext, for trying out: a bootstrap file and no agent."""

from __future__ import annotations

from typing import Any, Final

from lateen.injection.context import Context
from lateen.injection.environment import control_plane_host

_VOLUME: Final = "grpc-io-proxyless-bootstrap"
_DIRECTORY: Final = "/var/lib/grpc/data"
_FILE: Final = f"{_DIRECTORY}/bootstrap.json"
_SCRIPT: Final = (
    'printf \'{"xds_servers":[{"server_uri":"%s","channel_creds":[{"type":"insecure"}],"server_features":["xds_v3"]}],'
    '"node":{"id":"sidecar~%s~%s.%s~%s","locality":{},"metadata":{"GENERATOR":"grpc","LATEEN_CERTIFICATES":"none"}},'
    '"server_listener_resource_name_template":"xds.istio.io/grpc/lds/inbound/%%s"}\' '
    '"$SERVER_URI" "$INSTANCE_IP" "$POD_NAME" "$POD_NAMESPACE" "$POD_NAMESPACE.svc.$CLUSTER_DOMAIN" '
    f"> {_FILE}"
)


def grpc_simple(context: Context) -> dict[str, Any]:
    """What is merged over the pod."""
    values = context.values.global_
    server = f"dns:///{control_plane_host(context.values)}:15010"
    fields = (
        ("INSTANCE_IP", "status.podIP"),
        ("POD_NAME", "metadata.name"),
        ("POD_NAMESPACE", "metadata.namespace"),
    )
    mount = {"mountPath": _DIRECTORY, "name": _VOLUME}
    return {
        "metadata": {"annotations": {"sidecar.istio.io/rewriteAppHTTPProbers": "false"}},
        "spec": {
            "initContainers": [
                {
                    "name": "grpc-bootstrap-init",
                    "image": "busybox:1.28",
                    "command": ["sh", "-c", _SCRIPT],
                    "env": [
                        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields),
                        {"name": "SERVER_URI", "value": server},
                        {"name": "CLUSTER_DOMAIN", "value": values.proxy.cluster_domain},
                    ],
                    "volumeMounts": [mount],
                }
            ],
            "containers": [
                {
                    "name": container.get("name"),
                    "env": [{"name": "GRPC_XDS_BOOTSTRAP", "value": _FILE}],
                    "volumeMounts": [mount],
                }
                for container in context.app_containers
            ],
            "volumes": [{"name": _VOLUME, "emptyDir": {}}],
        },
    }
