"""A kubeconfig with everything embedded: one cluster, one user, one context, all of one name."""

from __future__ import annotations

import base64

import yaml


def kubeconfig(name: str, server: str, ca: bytes, certificate: bytes, key: bytes) -> bytes:
    """YAML of a kubeconfig; `ca`, `certificate` and `key` are PEM."""

    def encoded(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": encoded(ca)}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "preferences": {},
    }
    return yaml.safe_dump(document, sort_keys=False).encode()
