"""Where the services are, as the public manifests' environment says."""

from __future__ import annotations

from collections.abc import Mapping

PORT = 9080


def base_url(service: str, environment: Mapping[str, str]) -> str:
    """`http://ratings:9080`, as RATINGS_HOSTNAME, RATINGS_SERVICE_PORT and SERVICES_DOMAIN change it.

    Raises ValueError, which names the variable.
    """
    prefix = service.upper()
    host = environment.get(f"{prefix}_HOSTNAME") or service
    domain = environment.get("SERVICES_DOMAIN")
    port = environment.get(f"{prefix}_SERVICE_PORT") or str(PORT)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{prefix}_SERVICE_PORT is {port!r}; expected a port number")
    return f"http://{host}{'.' + domain if domain else ''}:{port}"
