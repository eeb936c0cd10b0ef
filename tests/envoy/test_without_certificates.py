"""A real Envoy without certificates, started by hand as a sidecar over real ADS: it works, but not in the mesh's TLS.

Nothing is captured (interception NONE): it listens on the services' ports at loopback, and on those of its Sidecar.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
from typing import Any

from lateen.testing.backends import http_backend
from lateen.testing.free_port import free_port
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap
from lateen.testing.served_mesh import served

OWN = "127.0.0.2"
NODE = f"sidecar~{OWN}~client.default~default.svc.cluster.local"
LABELS = {"app": "client"}


def resource(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def service(name: str, port: int, backend: int) -> tuple[dict[str, Any], ...]:
    """A service whose one endpoint says that it takes the mesh's TLS, and takes plain text too."""
    pod = resource("Pod", name, serviceAccountName="server")
    pod["metadata"]["labels"] = {"app": name, "security.istio.io/tlsMode": "istio"}
    pod["status"] = {"podIP": "127.0.0.1", "phase": "Running"}
    return (
        resource("Service", name, selector={"app": name}, ports=[{"name": "http", "port": port}]),
        pod,
        endpoint_slice(name, ports={"http": backend}, pods={name: "127.0.0.1"}),
    )


def mesh_of(backend: int, plain: int, demanded: int, permissive: int, strict: int) -> Mesh:
    ingress = [
        {
            "port": {"number": number, "name": f"http-{number}", "protocol": "HTTP"},
            "bind": OWN,
            "defaultEndpoint": f"127.0.0.1:{backend}",
        }
        for number in (permissive, strict)
    ]
    return Mesh(
        *service("plain", plain, backend),
        *service("demanded", demanded, backend),
        resource("DestinationRule", "demanded", host="demanded", trafficPolicy={"tls": {"mode": "ISTIO_MUTUAL"}}),
        resource(
            "Sidecar", "client", workloadSelector={"labels": LABELS}, ingress=ingress, egress=[{"hosts": ["*/*"]}]
        ),
        resource(
            "PeerAuthentication",
            "client",
            selector={"matchLabels": LABELS},
            mtls={"mode": "PERMISSIVE"},
            portLevelMtls={str(strict): {"mode": "STRICT"}},
        ),
    )


def status(address: str, port: int, host: str) -> int:
    """Of one answer; 0 when the connection is refused or closed."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/", headers={"host": host})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


async def test_a_proxy_without_certificates_speaks_plain_text_or_not_at_all() -> None:
    plain, demanded, permissive, strict = (free_port() for _ in range(4))
    metadata = {"LABELS": LABELS, "INTERCEPTION_MODE": "NONE", "LATEEN_CERTIFICATES": "none"}
    async with (
        http_backend("app") as backend,
        served(mesh_of(backend, plain, demanded, permissive, strict)) as ads,
        RunningEnvoy(ads_bootstrap(NODE, ads.port, metadata=metadata)) as envoy,
    ):
        await asyncio.to_thread(
            envoy.until, lambda: status("127.0.0.1", plain, "plain.default") == 200, "plain text is served", 40
        )
        assert await asyncio.to_thread(status, "127.0.0.1", demanded, "demanded.default") == 503
        assert await asyncio.to_thread(status, OWN, permissive, "any.com") == 200
        with socket.create_connection((OWN, strict), timeout=60) as found:
            assert await asyncio.to_thread(found.recv, 1) == b""
        (connection,) = ads.server.connections()
        assert not connection.session.rejections
