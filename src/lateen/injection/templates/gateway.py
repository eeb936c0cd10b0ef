"""`gateway`: a pod whose container `istio-proxy` with the image `auto` becomes a gateway."""

from __future__ import annotations

from typing import Any

from lateen.injection.context import Context
from lateen.injection.names import REVISION
from lateen.injection.proxy_container import Role, proxy_container
from lateen.injection.templates.pod_additions import canonical_labels, default_container, pull_secrets
from lateen.injection.volumes import proxy_volumes


def gateway(context: Context) -> dict[str, Any]:
    """What is merged over the pod."""
    # Any user may listen on any port of the pod's own network: no capability is needed for 80 and 443.
    low_ports = {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]}
    return {
        "metadata": {
            "labels": {**canonical_labels(context), REVISION: context.labels.get(REVISION) or _revision(context)},
            "annotations": {REVISION: _revision(context), **default_container(context)},
        },
        "spec": {
            "securityContext": dict(context.values.gateways.security_context) or low_ports,
            "containers": [proxy_container(context, Role.ROUTER)],
            "volumes": proxy_volumes(context),
            **pull_secrets(context),
        },
    }


def _revision(context: Context) -> str:
    return context.values.revision or "default"
