"""A small mesh that runs: `lateen istiod` on a directory of manifests, a real sidecar, backends, and load on it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from lateen.testing.backends import http_backend
from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port
from lateen.testing.istiod import IstiodProcess
from lateen.testing.load import Load
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap

NAMESPACE = "shop"
ADDRESS = "127.0.0.1"
_BACKEND = "127.0.0.70"
_CREATED = "2026-01-01T00:00:00Z"

Object = dict[str, Any]


def resource(kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> Object:
    """An object of the mesh's own kinds, of Istio's networking group."""
    version = "v1alpha3" if kind == "EnvoyFilter" else "v1"
    return {
        "apiVersion": f"networking.istio.io/{version}",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "creationTimestamp": _CREATED, **metadata},
        "spec": dict(spec),
    }


def service(name: str, port: int, target: int = 0, *, port_name: str = "http", **metadata: Any) -> list[Object]:
    """A Service, and its one endpoint if `target` (a port of the backends' address) is given."""
    number = sum(name.encode()) % 250 + 1
    metadata = {"name": name, "namespace": NAMESPACE, "creationTimestamp": _CREATED, **metadata}
    found: list[Object] = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {
                "clusterIP": f"10.96.1.{number}",
                "selector": {"app": name},
                "ports": [{"name": port_name, "port": port}],
            },
        }
    ]
    if target:
        labels = {"kubernetes.io/service-name": name}
        found.append(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": f"{name}-1", "namespace": NAMESPACE, "labels": labels},
                "addressType": "IPv4",
                "ports": [{"name": port_name, "port": target}],
                "endpoints": [{"addresses": [_BACKEND], "conditions": {"ready": True}}],
            }
        )
    return found


class Manifests:
    """Files of objects, replaced as editors do: whole."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, *objects: Mapping[str, Any]) -> None:
        """As JSON, which is YAML too and faster."""
        self.write_text(name, "".join(f"---\n{msgspec.json.encode(each).decode()}\n" for each in objects))

    def write_text(self, name: str, text: str) -> None:
        fresh = self.directory / f".{name}.new"
        fresh.write_text(text)
        fresh.rename(self.directory / f"{name}.yaml")

    def remove(self, name: str) -> None:
        (self.directory / f"{name}.yaml").unlink()


class LiveMesh:
    """The services `web` (under load, and routed by a VirtualService of that name in a file of that name) and `other`
    share a port, and so a route configuration."""

    def __init__(self, manifests: Manifests, port: int, backend: int) -> None:
        self.manifests = manifests
        self.port = port
        """Of the services, where the sidecar listens."""
        self.backend = backend
        """Port of the backend."""
        self.istiod: IstiodProcess
        self.envoy: RunningEnvoy
        self.load: Load
        self.turn = 0
        """Of the edits that `follows` makes."""
        manifests.write("services", *service("web", port, backend), *service("other", port, backend))
        manifests.write("web", self.routes())
        manifests.write(
            "other",
            resource("VirtualService", "other", {"hosts": ["other"], "http": [{"directResponse": {"status": 200}}]}),
        )

    def routes(self, **route: Any) -> Object:
        """The VirtualService of `web`, with more in its route; all answers have the header that the load wants."""
        http = {
            "route": [{"destination": {"host": "web"}}],
            "headers": {"response": {"set": {"x-config": "good"}}},
            **route,
        }
        return resource("VirtualService", "web", {"hosts": ["web"], "http": [http]})

    async def get(self, host: str, path: str = "/") -> tuple[int, str]:
        """Status and body, through the sidecar; 0 without an answer."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
                session.get(f"http://{ADDRESS}:{self.port}{path}", headers={"host": host}) as answer,
            ):
                return answer.status, await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return 0, repr(error)

    async def follows(self) -> None:
        """Waits until an edit of another VirtualService shows in traffic: configuration goes on."""
        self.turn += 1
        wanted = f"turn {self.turn}"
        body = {"directResponse": {"status": 200, "body": {"string": wanted}}}
        self.manifests.write("other", resource("VirtualService", "other", {"hosts": ["other"], "http": [body]}))
        deadline = time.monotonic() + 60
        while (found := await self.get("other")) != (200, wanted):
            assert time.monotonic() < deadline, f"wanted {wanted!r}, still {found}"
            await asyncio.sleep(0.02)

    async def goes_on(self) -> None:
        """Configuration and requests do."""
        await self.follows()
        await self.load.more()

    async def until(self, condition: Callable[[], Any], timeout: float = 60) -> None:
        """Waits for a condition, which may block. Seconds."""
        await asyncio.to_thread(self.istiod.until, lambda: bool(condition()), timeout)

    def faults(self, kind: str, name: str) -> list[str]:
        """What /debug/status says of a resource: `SEVERITY PATH: MESSAGE`, errors first."""
        return faults(self.istiod, kind, name)

    async def until_fault(self, kind: str, name: str, *words: str) -> str:
        """Waits for a fault of a resource that says all of the words, and gives it."""
        found: list[str] = []

        def said() -> bool:
            found[:] = [text for text in self.faults(kind, name) if all(word in text for word in words)]
            return bool(found)

        try:
            await self.until(said)
        except AssertionError as error:
            error.add_note(f"{kind} {name}: {self.faults(kind, name)}, not {words}")
            raise
        return found[0]

    async def until_well(self) -> None:
        """Waits until nothing is wrong with anything."""
        await self.until(lambda: not self.istiod.debug("status") and not self.istiod.debug("push_status"))


def faults(istiod: IstiodProcess, kind: str, name: str) -> list[str]:
    for each in istiod.debug("status"):
        if (each["kind"], each["name"]) == (kind, name):
            return [f"{fault['severity'].upper()} {fault['path']}: {fault['message']}" for fault in each["faults"]]
    return []


def sidecar_bootstrap(directory: Path, port: int) -> dict[str, Any]:
    """Of the sidecar of a client, for an istiod at a port; it listens on the ports of services."""
    files = Authority().workload(directory, f"spiffe://cluster.local/ns/{NAMESPACE}/sa/client")
    metadata = {
        "NAMESPACE": NAMESPACE,
        "LABELS": {"app": "client"},
        "INTERCEPTION_MODE": "NONE",
        "CLUSTER_ID": "Kubernetes",
        "SERVICE_ACCOUNT": "client",
        "LATEEN_CERTIFICATES": {"workload": files.workload, "roots": files.roots},
    }
    node = f"sidecar~{ADDRESS}~client-1.{NAMESPACE}~{NAMESPACE}.svc.cluster.local"
    return ads_bootstrap(node, port, metadata=metadata)


@contextlib.asynccontextmanager
async def live_mesh(
    directory: Path, arguments: Sequence[str] = (), *, bootstrap: Mapping[str, Any] | None = None
) -> AsyncIterator[LiveMesh]:
    """Begins when the load is answered; at the end no request may have failed. `arguments` are for istiod, `bootstrap`
    replaces parts of the sidecar's."""
    async with http_backend("web", _BACKEND) as backend:
        manifests = Manifests(directory / "manifests")
        mesh = LiveMesh(manifests, free_port(), backend)
        with IstiodProcess("--config-dir", str(manifests.directory), *arguments) as mesh.istiod:
            addresses = await asyncio.to_thread(mesh.istiod.until_ready)
            own = sidecar_bootstrap(directory / "proxy", int(addresses["xds"].rpartition(":")[2]))
            url = f"http://{ADDRESS}:{mesh.port}/"
            async with (
                RunningEnvoy({**own, **(bootstrap or {})}) as mesh.envoy,
                Load(url, "web", headers={"x-config": "good"}) as mesh.load,
            ):
                yield mesh
