"""The volumes of a pod's proxy, and where its container has them."""

from __future__ import annotations

from typing import Any, Final

from lateen.injection.context import Context

TOKEN_SECONDS: Final = 43_200
"""Life of the token that proves the workload to the authority."""


def proxy_mounts(context: Context) -> list[dict[str, Any]]:
    """Of the proxy's container."""
    mounts = [
        {"name": "workload-socket", "mountPath": "/var/run/secrets/workload-spiffe-uds"},
        {"name": "credential-socket", "mountPath": "/var/run/secrets/credential-uds"},
        {"name": "workload-certs", "mountPath": "/var/run/secrets/workload-spiffe-credentials"},
        {"name": "istiod-ca-cert", "mountPath": "/var/run/secrets/istio"},
        {"name": "istio-data", "mountPath": "/var/lib/istio/data"},
        {"name": "istio-envoy", "mountPath": "/etc/istio/proxy"},
        {"name": "istio-token", "mountPath": "/var/run/secrets/tokens"},
        {"name": "istio-podinfo", "mountPath": "/etc/istio/pod"},
    ]
    if context.settings.bootstrap_override:
        mounts.append({"name": "custom-bootstrap-volume", "mountPath": "/etc/istio/custom-bootstrap"})
    mounts += [{"name": name, **mount} for name, mount in context.settings.volume_mounts.items()]
    return mounts


def proxy_volumes(context: Context) -> list[dict[str, Any]]:
    """Of the pod. Keys and certificates are in memory only."""
    values = context.values.global_
    volumes: list[dict[str, Any]] = [
        {"name": "workload-socket", "emptyDir": {}},
        {"name": "credential-socket", "emptyDir": {}},
        {"name": "workload-certs", "emptyDir": {}},
        {"name": "istio-envoy", "emptyDir": {"medium": "Memory"}},
        {"name": "istio-data", "emptyDir": {}},
        {
            "name": "istio-podinfo",
            "downwardAPI": {
                "items": [
                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                    {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}},
                ]
            },
        },
        {
            "name": "istio-token",
            "projected": {
                "sources": [
                    {
                        "serviceAccountToken": {
                            "path": "istio-token",
                            "expirationSeconds": TOKEN_SECONDS,
                            "audience": values.sds.token.aud,
                        }
                    }
                ]
            },
        },
        {"name": "istiod-ca-cert", "configMap": {"name": values.trust_bundle_name}},
    ]
    if context.settings.bootstrap_override:
        volumes.append({"name": "custom-bootstrap-volume", "configMap": {"name": context.settings.bootstrap_override}})
    volumes += [{"name": name, **volume} for name, volume in context.settings.volumes.items()]
    return volumes
