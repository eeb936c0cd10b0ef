"""Names that injection, applications and operators share: of containers, ports, labels and annotations. Istio's."""

from __future__ import annotations

from typing import Final

PROXY: Final = "istio-proxy"
INIT: Final = "istio-init"
VALIDATION: Final = "istio-validation"
CORE_DUMP: Final = "enable-core-dump"

STATUS: Final = "sidecar.istio.io/status"
INJECT: Final = "sidecar.istio.io/inject"
OVERRIDES: Final = "proxy.istio.io/overrides"
PROXY_CONFIG: Final = "proxy.istio.io/config"
TEMPLATES: Final = "inject.istio.io/templates"
REVISION: Final = "istio.io/rev"
NAMESPACE_INJECTION: Final = "istio-injection"
NETWORK: Final = "topology.istio.io/network"
TLS_MODE: Final = "security.istio.io/tlsMode"
CANONICAL_NAME: Final = "service.istio.io/canonical-name"
CANONICAL_REVISION: Final = "service.istio.io/canonical-revision"
DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
DEFAULT_LOGS_CONTAINER: Final = "kubectl.kubernetes.io/default-logs-container"

HEALTH_PORT: Final = 15021
PROMETHEUS_PORT: Final = 15090
PROXY_ID: Final = 1337
"""User and group of proxies."""
