"""Certificates exchanged under load."""

from __future__ import annotations

import asyncio
import json

from lateen.testing.load import Load
from lateen.testing.local_mesh import LocalMesh

NAMESPACE = "bookinfo"


def certificates(mesh: LocalMesh, kind: str) -> dict[str, str]:
    """By pod: the serial numbers of what Envoy uses, of its own certificate (`cert_chain`) or of roots (`ca_cert`)."""
    found = {}
    for pod in mesh.get("pods", "-n", NAMESPACE)["items"]:
        if "deletionTimestamp" in pod["metadata"]:
            continue
        name = pod["metadata"]["name"]
        said = mesh.exec(NAMESPACE, name, "istio-proxy", "curl", "-s", "http://localhost:15000/certs")
        chains = [each.get(kind, []) for each in json.loads(said)["certificates"]]
        found[name] = ",".join(sorted({part["serial_number"] for chain in chains for part in chain}))
    return found


async def test_every_leaf_certificate_rotated(mesh: LocalMesh, load: Load) -> None:
    before = await asyncio.to_thread(certificates, mesh, "cert_chain")

    def all_changed() -> bool:
        now = certificates(mesh, "cert_chain")
        return all(now.get(pod) != serials for pod, serials in before.items())

    await asyncio.to_thread(mesh.until, all_changed, "every proxy has another certificate", timeout=300)
    await load.more(100)


async def test_root_rotated(mesh: LocalMesh, load: Load) -> None:
    before = await asyncio.to_thread(certificates, mesh, "ca_cert")
    old = next(iter(before.values()))
    mesh.kubectl(
        "annotate", "secret", "istio-ca-secret", "-n", "istio-system", "lateen.io/rotate-root=now", "--overwrite"
    )

    def old_is_gone() -> bool:
        now = certificates(mesh, "ca_cert")
        return all(serials and old not in serials.split(",") for serials in now.values())

    await asyncio.to_thread(mesh.until, old_is_gone, "no proxy trusts the old root any more", timeout=600)
    await load.more(100)
