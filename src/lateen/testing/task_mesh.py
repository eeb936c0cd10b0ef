"""A mesh as its users write it: manifests in a directory, `lateen istiod` on them, real Envoys, and who calls."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, NamedTuple, Self

import yaml

from lateen.identity.facts import WorkloadFacts
from lateen.model.peer import FACTS, FALLBACKS, own_variable
from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port
from lateen.testing.istiod import IstiodProcess
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap

LOOPBACK = "127.0.0.1"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: str

    @property
    def told(self) -> dict[str, Any]:
        """What a backend says of itself and of the request; empty when the answer is not a backend's."""
        return json.loads(self.body) if self.body.startswith("{") else {}

    @property
    def name(self) -> str:
        """Of the backend that answered."""
        return str(self.told.get("name", ""))

    @property
    def sent(self) -> dict[str, str]:
        """The headers that the backend got."""
        return dict(self.told.get("headers", {}))


class TaskMesh:
    """`apply` manifests first, then `async with` the mesh and start its `proxy`s, which end with it.

    Manifests are templates: `$name` stands for a value of `values`, and a free port is made up for `$port_...`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority("mesh")
        self.values: dict[str, Any] = {}
        self._manifests = directory / "manifests"
        self._manifests.mkdir()
        self._istiod = IstiodProcess("--config-dir", str(self._manifests))
        self._envoys: list[RunningEnvoy] = []

    def port(self, name: str) -> int:
        """The port that `$port_NAME` stands for."""
        key = f"port_{name}"
        if key not in self.values:
            self.values[key] = free_port()
        return int(self.values[key])

    def apply(self, name: str, text: str = "", *objects: Mapping[str, Any]) -> None:
        """Writes a file of manifests."""
        for each in Template(text).get_identifiers():
            if each.startswith("port_"):
                self.port(each.removeprefix("port_"))
        whole = Template(text).substitute(self.values) + "".join(f"\n---\n{yaml.safe_dump(each)}" for each in objects)
        fresh = self._manifests / f".{name}"
        fresh.write_text(whole)
        fresh.rename(self._manifests / f"{name}.yaml")

    def file(self, name: str, content: str) -> str:
        path = self.directory / name
        path.write_text(content)
        return str(path)

    async def __aenter__(self) -> Self:
        self._istiod.__enter__()
        try:
            await asyncio.to_thread(self._istiod.until_ready)
        except BaseException:
            self._istiod.__exit__(None, None, None)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            for envoy in self._envoys:
                await asyncio.to_thread(envoy.stop)
        finally:
            self._istiod.__exit__(None, None, None)

    async def proxy(
        self,
        name: str,
        listening: int,
        *,
        role: str = "sidecar",
        namespace: str = "default",
        labels: Mapping[str, str] | None = None,
        address: str = LOOPBACK,
        locality: Mapping[str, str] | None = None,
        facts: WorkloadFacts | None = None,
        metadata: Mapping[str, Any] | None = None,
        arguments: Sequence[str] = (),
    ) -> RunningEnvoy:
        """Starts one that intercepts nothing; returns once so many of its listeners listen.

        `facts` are what its certificate and its environment say of it, as an authority and an agent do; `metadata` of
        its node is added to what all have, `arguments` to its command line.
        """
        facts = facts or WorkloadFacts(workload=name, namespace=namespace)
        port = int(self._istiod.addresses["xds"].rpartition(":")[2])
        identity = f"spiffe://cluster.local/ns/{namespace}/sa/{name}"
        files = self.authority.workload(self.directory / f"{name}.{namespace}", identity, facts)
        metadata = {
            "NAMESPACE": namespace,
            "LABELS": dict(labels or {"app": name}),
            "INTERCEPTION_MODE": "NONE",
            "CLUSTER_ID": "Kubernetes",
            "SERVICE_ACCOUNT": name,
            "LATEEN_CERTIFICATES": {"workload": files.workload, "roots": files.roots},
            **(metadata or {}),
        }
        node = f"{role}~{address}~{name}.{namespace}~{namespace}.svc.cluster.local"
        bootstrap = ads_bootstrap(node, port, metadata=metadata, locality=locality)
        own = {own_variable(fact): getattr(facts, fact) or FALLBACKS.get(fact, "unknown") for fact in FACTS}
        bootstrap = {**bootstrap, "stats_flush_interval": "0.1s"}
        envoy = RunningEnvoy(bootstrap, environment=own, arguments=arguments)
        await asyncio.to_thread(envoy.start)
        self._envoys.append(envoy)
        await asyncio.to_thread(
            envoy.until, lambda: len(envoy.addresses()) >= listening, f"{listening} listeners of {name}"
        )
        return envoy

    # --- calling ----------------------------------------------------------------------------------------------

    async def call(
        self,
        port: int,
        host: str,
        path: str = "/",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        address: str = LOOPBACK,
    ) -> Answer:
        """One request on a connection of its own. Raises OSError when the connection or its handshake is refused."""
        return await asyncio.to_thread(_call, (address, port), host, method, path, dict(headers or {}), tls)


def pod(
    name: str, address: str, ports: Mapping[str, int], *, namespace: str = "default", **labels: str
) -> dict[str, Any]:
    """A Pod whose containers listen on these ports, by name; `_` in labels' names stands for `-`."""
    declared = [{"name": each, "containerPort": number} for each, number in ports.items()]
    named = {key.replace("_", "-"): value for key, value in labels.items()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": named},
        "spec": {"serviceAccountName": name, "containers": [{"name": "app", "image": "app", "ports": declared}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }


def _call(
    address: tuple[str, int], host: str, method: str, path: str, headers: dict[str, str], tls: ssl.SSLContext | None
) -> Answer:
    plain = socket.create_connection(address, timeout=60)
    connection = http.client.HTTPConnection(host)
    try:
        connection.sock = tls.wrap_socket(plain, server_hostname=host.partition(":")[0]) if tls else plain
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answered = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, answered, answer.read().decode())
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
        plain.close()
