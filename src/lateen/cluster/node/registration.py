"""The Node object and its Lease: registered at start, kept true while the node runs.

Source: the kubelet's node status and lease renewal (every 10 s, 40 s of life).
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Mapping

from lateen.cluster.client.api import Client
from lateen.cluster.client.backoff import Backoff
from lateen.cluster.client.events import EventRecorder
from lateen.cluster.layout import Layout
from lateen.cluster.node import machine
from lateen.cluster.objects import GVR, Key, Obj, micro_timestamp, timestamp, uid_of
from lateen.cluster.status import StatusError

_log = logging.getLogger(__name__)

NODES = GVR("", "v1", "nodes")
LEASES = GVR("coordination.k8s.io", "v1", "leases")
KUBELET_PORT = 10250
_LEASE_SECONDS = 40
_RENEW_SECONDS = 10.0
_STATUS_EVERY = 30
"""Lease renewals between two refreshes of an unchanged status (five minutes)."""
_MEMORY_LOW = 100 << 20
_DISK_LOW = 0.05


class Registration:
    """Registers one node and reports its health until cancelled."""

    def __init__(
        self, client: Client, layout: Layout, number: int, labels: Mapping[str, str], events: EventRecorder
    ) -> None:
        self._client = client
        self._layout = layout
        self._node = layout.node(number)
        self._labels = labels
        self._events = events
        self._conditions: dict[str, Obj] = {}
        self._uid = ""
        self.registered = asyncio.Event()

    def node(self) -> Obj:
        """The object as it is created: with labels and pod ranges, without status."""
        name = self._node.name
        ranges = [str(self._node.pods_ipv4), str(self._node.pods_ipv6)]
        labels = {
            "beta.kubernetes.io/arch": machine.architecture(),
            "beta.kubernetes.io/os": "linux",
            "kubernetes.io/arch": machine.architecture(),
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            **self._labels,
        }
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": {"podCIDR": ranges[0], "podCIDRs": ranges},
        }

    def status(self) -> Obj:
        root = self._layout.node_root(self._node.number)
        root.mkdir(parents=True, exist_ok=True)
        resources = machine.capacity(root)
        return {
            "capacity": resources,
            "allocatable": resources,
            "conditions": self._current_conditions(),
            "addresses": [
                {"type": "InternalIP", "address": str(self._node.ipv4)},
                {"type": "InternalIP", "address": str(self._node.ipv6)},
                {"type": "Hostname", "address": self._node.name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
            "nodeInfo": machine.node_info(),
        }

    def _current_conditions(self) -> list[Obj]:
        disk = shutil.disk_usage(self._layout.root)
        low_memory = machine.available_memory() < _MEMORY_LOW
        low_disk = disk.free < _DISK_LOW * disk.total
        return [
            self._pressure("MemoryPressure", low_memory, "Memory", "sufficient memory available"),
            self._pressure("DiskPressure", low_disk, "Disk", "no disk pressure"),
            self._pressure("PIDPressure", False, "PID", "sufficient PID available"),
            self._keep({"type": "Ready", "status": "True"}, "KubeletReady", "kubelet is posting ready status"),
        ]

    def _pressure(self, kind: str, pressed: bool, what: str, good: str) -> Obj:
        if what == "Disk":
            reason = "KubeletHasDiskPressure" if pressed else "KubeletHasNoDiskPressure"
            text = "disk pressure" if pressed else good
        else:
            reason = f"KubeletHas{'Insufficient' if pressed else 'Sufficient'}{what}"
            text = f"in{good}" if pressed else good
        return self._keep({"type": kind, "status": "True" if pressed else "False"}, reason, f"kubelet has {text}")

    def _keep(self, condition: Obj, reason: str, message: str) -> Obj:
        """The condition with its times: a transition only where the status has changed."""
        now = timestamp()
        old = self._conditions.get(condition["type"])
        same = old is not None and old["status"] == condition["status"]
        since = old["lastTransitionTime"] if old is not None and same else now
        full = condition | {
            "lastHeartbeatTime": now,
            "lastTransitionTime": since,
            "reason": reason,
            "message": message,
        }
        self._conditions[condition["type"]] = full
        return full

    async def run(self) -> None:
        """Registers, then renews the lease and the status until cancelled."""
        backoff = Backoff(0.1, 5.0)
        round_number = 0
        reported: list[tuple[str, str]] = []
        while True:
            try:
                if not self.registered.is_set():
                    await self._register()
                await self._renew_lease()
                now = [(c["type"], c["status"]) for c in self._current_conditions()]
                if now != reported or round_number % _STATUS_EVERY == 0:
                    await self._report_status()
                    reported = now
                round_number += 1
                backoff.reset()
                await asyncio.sleep(_RENEW_SECONDS)
            except StatusError as error:
                _log.warning("registration of node %s: %s", self._node.name, error)
                if error.code == 404:
                    self.registered.clear()
                await asyncio.sleep(backoff.next())

    async def _register(self) -> None:
        wanted = self.node()
        try:
            node = await self._client.create(NODES, wanted)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            change = {"metadata": {"labels": wanted["metadata"]["labels"]}}
            node = await self._client.patch(NODES, Key("", self._node.name), change, type="strategic")
            self._conditions = {c["type"]: c for c in (node.get("status") or {}).get("conditions") or ()}
        self._uid = uid_of(node)
        await self._report_status()
        self.registered.set()
        self._events.event(node, "Normal", "Starting", "Starting kubelet.")

    async def _report_status(self) -> None:
        key, status = Key("", self._node.name), self.status()
        # Addresses merge by type, but there are two of one type: only a whole list is right.
        status["addresses"] = [*status["addresses"], {"$patch": "replace"}]
        await self._client.patch(NODES, key, {"status": status}, type="strategic", subresource="status")

    async def _renew_lease(self) -> None:
        key = Key("kube-node-lease", self._node.name)
        renewal = {"spec": {"holderIdentity": self._node.name, "renewTime": micro_timestamp()}}
        try:
            await self._client.patch(LEASES, key, renewal)
            return
        except StatusError as error:
            if error.code != 404:
                raise
        owner = {"apiVersion": "v1", "kind": "Node", "name": self._node.name, "uid": self._uid}
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": key.name, "namespace": key.namespace, "ownerReferences": [owner]},
            "spec": renewal["spec"] | {"leaseDurationSeconds": _LEASE_SECONDS},
        }
        await self._client.create(LEASES, lease)
