"""Certificates in files, over real ADS: a missing one spoils its own server alone; a new one is read again."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from pathlib import Path
from typing import Any

from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port
from lateen.testing.mesh import Mesh
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap
from lateen.testing.served_mesh import served

NODE = "router~127.0.0.1~gateway.istio-system~istio-system.svc.cluster.local"


def gateway(port: int, directory: Path) -> dict[str, Any]:
    servers = [
        {
            "port": {"number": port, "name": name, "protocol": "HTTPS"},
            "bind": "127.0.0.1",
            "hosts": [f"{name}.com"],
            "tls": {
                "mode": "SIMPLE",
                "serverCertificate": f"{directory}/{name}/crt",
                "privateKey": f"{directory}/{name}/key",
            },
        }
        for name in ("good", "missing")
    ]
    metadata = {"name": "gw", "namespace": "istio-system"}
    return {"kind": "Gateway", "metadata": metadata, "spec": {"selector": {"istio": "ingress"}, "servers": servers}}


def put(directory: Path, authority: Authority, host: str) -> None:
    """Writes a certificate and its key as Kubernetes does: new files, moved into place as one."""
    pair = authority.issue(host)
    new = directory.with_suffix(".new")
    new.mkdir(parents=True)
    (new / "crt").write_text(pair.certificate)
    (new / "key").write_text(pair.key)
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("key", "crt"):
        os.replace(new / name, directory / name)
    new.rmdir()


def serial(port: int, host: str, authority: Authority) -> str:
    """The serial number of the certificate that is shown; empty when there is none."""
    context = ssl.create_default_context(cadata=authority.root)
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            return str((secure.getpeercert() or {})["serialNumber"])
    except OSError:
        return ""


async def test_files_of_certificates(tmp_path: Path) -> None:
    authority = Authority()
    put(tmp_path / "good", authority, "good.com")
    port = free_port()
    mesh = Mesh(gateway(port, tmp_path))
    metadata = {"LABELS": {"istio": "ingress"}, "NAMESPACE": "istio-system"}
    async with served(mesh) as ads, RunningEnvoy(ads_bootstrap(NODE, ads.port, metadata=metadata)) as envoy:
        before = await asyncio.to_thread(
            envoy.until, lambda: serial(port, "good.com", authority), "the good certificate is shown", 40
        )
        assert await asyncio.to_thread(serial, port, "missing.com", authority) == ""
        put(tmp_path / "good", authority, "good.com")

        def changed() -> bool:
            return serial(port, "good.com", authority) not in ("", before)

        await asyncio.to_thread(envoy.until, changed, "the new certificate is shown")
