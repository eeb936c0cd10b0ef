"""What statistics of a cluster are called."""

from __future__ import annotations

from lateen.model.service import Service, ServicePort

DELIMITER = ";"
"""Ends the name of a cluster within that of a statistic: such names contain dots."""


def stat_name(
    pattern: str, name: str, service: Service, port: ServicePort, *, subset: str = "", target: int = 0
) -> str:
    """A cluster's `alt_stat_name`: what MeshConfig's pattern gives, or the cluster's own name.

    Patterns: `%SERVICE%` (`NAME.NAMESPACE`; the host of other than Kubernetes Services), `%SERVICE_FQDN%`,
    `%SERVICE_PORT%`, `%SERVICE_PORT_NAME%`, `%TARGET_PORT%`, `%SUBSET_NAME%`.
    """
    if not pattern:
        return name + DELIMITER
    short = f"{service.name}.{service.namespace}" if service.is_kubernetes else service.hostname
    values = {
        "%SERVICE%": short,
        "%SERVICE_FQDN%": service.hostname,
        "%SERVICE_PORT%": str(port.port),
        "%SERVICE_PORT_NAME%": port.name,
        "%TARGET_PORT%": str(target),
        "%SUBSET_NAME%": subset,
    }
    for placeholder, value in values.items():
        pattern = pattern.replace(placeholder, value)
    return pattern + DELIMITER
