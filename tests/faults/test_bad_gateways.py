"""Bad Secrets and Gateways, with a real gateway Envoy and TLS handshakes under way: nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from lateen.testing.backends import http_backend
from lateen.testing.certificates import Authority, Pair
from lateen.testing.istiod import IstiodProcess
from lateen.testing.live_mesh import NAMESPACE, Manifests, faults, free_port, resource, service
from lateen.testing.load import Load
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap

AUTHORITY = Authority()
GOOD = AUTHORITY.issue("127.0.0.1")
LABELS = {"istio": "gateway"}
NODE = f"router~127.0.0.1~gateway-1.{NAMESPACE}~{NAMESPACE}.svc.cluster.local"


class Gateway:
    def __init__(self, manifests: Manifests, istiod: IstiodProcess, port: int) -> None:
        self.manifests = manifests
        self.istiod = istiod
        self.port = port
        self.load: Load

    def secret(self, data: dict[str, str]) -> None:
        metadata = {"name": "credential", "namespace": NAMESPACE}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls"}
        self.manifests.write("secret", {**secret, "stringData": data})

    async def until(self, condition: Callable[[], Any]) -> None:
        await asyncio.to_thread(self.istiod.until, lambda: bool(condition()), 20)

    async def until_fault(self, name: str, *words: str) -> None:
        await self.until(
            lambda: any(all(word in text for word in words) for text in faults(self.istiod, "Gateway", name))
        )


def data_of(pair: Pair) -> dict[str, str]:
    return {"tls.crt": pair.certificate, "tls.key": pair.key}


def gateway(name: str, port: int, protocol: str = "HTTPS", **server: Any) -> dict[str, Any]:
    servers = [{"port": {"number": port, "name": name, "protocol": protocol}, "hosts": ["*"], **server}]
    return resource("Gateway", name, {"selector": LABELS, "servers": servers})


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Gateway]:
    manifests, port = Manifests(directory / "manifests"), free_port()
    async with http_backend("web", "127.0.0.70") as backend:
        pod = {"name": "gateway-1", "namespace": NAMESPACE, "labels": LABELS}
        to_web = {"hosts": ["*"], "gateways": ["main"], "http": [{"route": [{"destination": {"host": "web"}}]}]}
        manifests.write(
            "mesh",
            *service("web", 80, backend),
            {"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": {"containers": [{"name": "c", "image": "i"}]}},
            gateway("main", port, tls={"mode": "SIMPLE", "credentialName": "credential"}),
            resource("VirtualService", "web", to_web),
        )
        with IstiodProcess("--config-dir", str(manifests.directory)) as istiod:
            found = Gateway(manifests, istiod, port)
            found.secret(data_of(GOOD))
            addresses = await asyncio.to_thread(istiod.until_ready)
            metadata = {"NAMESPACE": NAMESPACE, "LABELS": LABELS, "LATEEN_CERTIFICATES": workload(directory)}
            bootstrap = ads_bootstrap(NODE, int(addresses["xds"].rpartition(":")[2]), metadata=metadata)
            context = ssl.create_default_context(cadata=AUTHORITY.root)
            async with (
                RunningEnvoy(bootstrap),
                Load(f"https://127.0.0.1:{port}/", "web", tls=context) as found.load,
            ):
                yield found


def workload(directory: Path) -> dict[str, str]:
    files = AUTHORITY.workload(directory / "proxy", f"spiffe://cluster.local/ns/{NAMESPACE}/sa/gateway")
    return {"workload": files.workload, "roots": files.roots}


async def test_a_secret_that_is_no_certificate_leaves_the_last_one_in_use(tmp_path: Path) -> None:
    bad = {
        "no PEM": {"tls.crt": "no certificate", "tls.key": GOOD.key},
        "no key": {"tls.crt": GOOD.certificate},
        "another's key": {"tls.crt": GOOD.certificate, "tls.key": AUTHORITY.issue("127.0.0.1").key},
        "a cut certificate": {"tls.crt": GOOD.certificate[:200], "tls.key": GOOD.key},
    }
    async with running(tmp_path) as found:
        for data in bad.values():
            found.secret(data)
            await found.until_fault("main", "tls.credentialName")
            await found.until(lambda: "SDS" in str(found.istiod.debug("push_status").get("pilot_resource_errors")))
            await found.load.more()
            found.secret(data_of(GOOD))
            await found.until(lambda: not faults(found.istiod, "Gateway", "main"))
        found.manifests.remove("secret")
        await found.until_fault("main", "tls.credentialName", "there is no such Secret")
        await found.load.more()
        assert found.istiod.debug("push_status")["pilot_resource_errors"]
        # And a new one is in use at once: its key is another.
        found.secret(data_of(AUTHORITY.issue("127.0.0.1")))
        await found.until(lambda: not faults(found.istiod, "Gateway", "main"))
        await found.load.more()


@pytest.mark.parametrize("protocol", ["HTTP", "TCP"])
async def test_gateways_that_want_one_port_for_different_protocols(tmp_path: Path, protocol: str) -> None:
    async with running(tmp_path) as found:
        late = gateway("late", found.port, protocol)
        late["metadata"]["creationTimestamp"] = "2026-02-01T00:00:00Z"
        found.manifests.write("late", late)
        await found.until_fault("late", "is not served")
        await found.load.more()
        found.manifests.remove("late")
        await found.until(lambda: not faults(found.istiod, "Gateway", "late"))


async def test_a_gateway_whose_secret_is_not_there_yet_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with running(tmp_path) as found:
        port = free_port()
        found.manifests.write("second", gateway("second", port, tls={"mode": "SIMPLE", "credentialName": "later"}))
        await found.until_fault("second", "tls.credentialName", "there is no such Secret")
        await found.load.more()
        other = AUTHORITY.issue("127.0.0.1")
        metadata = {"name": "later", "namespace": NAMESPACE}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls"}
        found.manifests.write("later", {**secret, "stringData": data_of(other)})
        await found.until(lambda: _serves(port))
        await found.until(lambda: not any("credential" in text for text in faults(found.istiod, "Gateway", "second")))


def _serves(port: int) -> bool:
    with contextlib.suppress(OSError):
        return bool(ssl.get_server_certificate(("127.0.0.1", port), timeout=5))
    return False
