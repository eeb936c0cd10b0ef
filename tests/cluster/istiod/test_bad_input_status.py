"""What is wrong with resources is on their status, conditions and messages, and goes when it is mended."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lateen.testing.ads_client import AdsClient, Held
from lateen.testing.istiod import IstiodProcess
from lateen.testing.live_mesh import resource
from lateen.testing.local_cluster import LocalCluster
from lateen.translate.envoy_types import MESSAGES
from lateen.translate.resource import ResourceType

pytestmark = pytest.mark.cluster

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
}


def of(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {**resource(kind, name, spec), "metadata": {"name": name}}


def routes(name: str, uri: dict[str, str]) -> dict[str, Any]:
    http = [{"match": [{"uri": uri}], "route": [{"destination": {"host": "web"}}]}]
    return of("VirtualService", name, {"hosts": [f"{name}.example.com"], "http": http})


def delegating(name: str, to: str, *hosts: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"http": [{"delegate": {"name": to}}]}
    return of("VirtualService", name, spec | ({"hosts": list(hosts)} if hosts else {}))


def rule(port: int) -> dict[str, Any]:
    settings = {"port": {"number": port}, "tls": {"mode": "DISABLE"}}
    return of("DestinationRule", "web", {"host": "web", "trafficPolicy": {"portLevelSettings": [settings]}})


def patch(seconds: int) -> dict[str, Any]:
    value = {"operation": "MERGE", "value": {"connect_timeout": f"{seconds}s"}}
    return of("EnvoyFilter", "patch", {"configPatches": [{"applyTo": "CLUSTER", "patch": value}]})


class Statuses:
    def __init__(self, cluster: LocalCluster, room: str) -> None:
        self._cluster = cluster
        self._room = room

    def apply(self, *objects: dict[str, Any]) -> None:
        self._cluster.apply("\n---\n".join(json.dumps(each) for each in objects), "-n", self._room)

    def of(self, kind: str, name: str) -> tuple[str, str, str]:
        """Reason of Reconciled, reason and message of PassedValidation; only if they are about the newest version."""
        found = self._cluster.get(kind.lower(), name, "-n", self._room)
        status = found.get("status") or {}
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            return "", "", ""
        conditions = {each["type"]: each for each in status.get("conditions", ())}
        validated = conditions.get("PassedValidation", {})
        return (
            conditions.get("Reconciled", {}).get("reason", ""),
            validated.get("reason", ""),
            validated.get("message", ""),
        )


async def test_each_fault_is_on_the_status_of_its_resource(control: LocalCluster, room: str, definitions: str) -> None:
    await asyncio.to_thread(control.apply, definitions)
    for name in ("virtualservices", "destinationrules", "envoyfilters"):
        definition = f"crd/{name}.networking.istio.io"
        await asyncio.to_thread(control.kubectl, "wait", "--for=condition=Established", definition)
    statuses = Statuses(control, room)

    def good() -> None:
        statuses.apply(SERVICE, routes("regex", {"regex": "/a.*"}), routes("circle", {"prefix": "/"}))

    await asyncio.to_thread(good)
    with IstiodProcess("--kubeconfig", str(control.kubeconfig), "--namespace", room) as istiod:
        address = (await asyncio.to_thread(istiod.until_ready))["xds"]

        async def until(kind: str, name: str, reconciled: str, validated: str, words: str = "") -> None:
            def holds() -> bool:
                found = statuses.of(kind, name)
                return found[:2] == (reconciled, validated) and words in found[2]

            try:
                await asyncio.to_thread(istiod.until, holds, 30)
            except AssertionError as error:
                error.add_note(f"{kind} {name}: {statuses.of(kind, name)}")
                raise

        await until("VirtualService", "regex", "InEffect", "Valid")

        def refuses(type_: ResourceType, name: str, held: Held) -> str | None:
            if type_ is ResourceType.CDS and MESSAGES[type_].FromString(held.body).connect_timeout.seconds == 77:
                return f"{name}: no proxy waits so long"
            return None

        proxy = AdsClient(address, f"sidecar~10.0.0.1~client.{room}~{room}.svc.cluster.local")
        proxy.reject = refuses
        async with proxy:
            await proxy.until(lambda: any("web" in name for name in proxy.held.get(ResourceType.CDS, ())))
            await asyncio.to_thread(
                statuses.apply,
                routes("regex", {"regex": r"/\x{100}"}),
                delegating("circle", "second", "circle.example.com"),
                delegating("second", "circle"),
                rule(81),
                patch(77),
            )
            # Rejected, while the version before is in force.
            await until("VirtualService", "regex", "Rejected", "Invalid", "RE2")
            assert any(each["inForce"] for each in istiod.debug("status") if each["name"] == "regex")
            # Never taken.
            await until("VirtualService", "second", "Rejected", "Invalid", "delegate")
            # Taken, but not all of it can be followed.
            await until("VirtualService", "circle", "PartlyInEffect", "Invalid")
            await until("DestinationRule", "web", "InEffect", "ValidWithWarnings", "no port 81")
            # Taken and followed, and then refused by a proxy.
            await until("EnvoyFilter", "patch", "PartlyInEffect", "Invalid", "no proxy waits so long")
            # Mended.
            await asyncio.to_thread(good)
            await asyncio.to_thread(statuses.apply, patch(7))
            await until("VirtualService", "regex", "InEffect", "Valid")
            await until("VirtualService", "circle", "InEffect", "Valid")
            await until("EnvoyFilter", "patch", "InEffect", "ValidWithWarnings")
