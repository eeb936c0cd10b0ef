"""Pods' network namespaces: made, connected to the node, and taken down. Runs in the node's network namespace.

Each pod has a veth to its node and addresses of its own, routed, as Calico does it: the pod's gateway is a link-local
address that every node end has, and nobody ever asks for a hardware address because both sides know the other's.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from lateen.cluster.layout import Layout
from lateen.cluster.network.commands import CommandError, ip_batch_async, nft_async
from lateen.cluster.network.fabric import node_path
from lateen.cluster.network.namespace import (
    create_namespace,
    delete_namespace,
    interfaces,
    is_namespace,
    share_directory,
)
from lateen.cluster.node.network.cni import (
    INTERFACE,
    Attachment,
    CniError,
    PluginRunner,
    ensure_configuration,
    read_chain,
)
from lateen.cluster.node.network.host_ports import port_mappings, render_host_ports
from lateen.cluster.node.network.ipam import Addresses, AddressesExhausted, AddressPool
from lateen.cluster.node.network.sandbox_record import SandboxRecord, SandboxRecords
from lateen.cluster.objects import Obj

GATEWAY_IPV4 = "169.254.1.1"
GATEWAY_IPV6 = "fe80::1"
NODE_HARDWARE_ADDRESS = "ee:ee:ee:ee:ee:ee"

POD_SYSCTLS = {
    # As container runtimes set them: any user may ping and listen on low ports, for the namespace is the pod's own.
    "net/ipv4/ip_unprivileged_port_start": "0",
    "net/ipv4/ping_group_range": "0 2147483647",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/all/accept_dad": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
}

_SANDBOX_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class PodNetworkError(Exception):
    """A pod's network could not be made or is not as it should be; the text is for its event."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A pod's network: the path of its namespace and its addresses, IPv4 first."""

    netns_path: Path
    ips: tuple[str, ...]


class PodNetwork:
    """The networks of the pods of one node. `namespace` is the node's when the calling process is not in it."""

    def __init__(self, layout: Layout, number: int, *, namespace: Path | None = None) -> None:
        self._layout = layout
        self._node = layout.node(number)
        self._namespace = namespace
        root = layout.node_root(number)
        self._paths = Path("/run/lateen") / layout.name / "netns"
        # Seen by pods that mount the directory, and gone from every pod's mount namespace when a pod is.
        self._paths.mkdir(parents=True, exist_ok=True)
        share_directory(self._paths)
        self._pool = AddressPool(root / "network" / "addresses", self._node.pods_ipv4, self._node.pods_ipv6)
        self._records = SandboxRecords(root / "network" / "sandboxes")
        self._configurations = root / "cni" / "net.d"
        self._plugins = PluginRunner(root / "cni" / "bin")
        ensure_configuration(self._configurations)
        (root / "cni" / "bin").mkdir(parents=True, exist_ok=True)

    async def add(self, pod: Obj, sandbox_id: str) -> Sandbox:
        """Makes the pod's network and runs the CNI plugins. What failed is taken down again.

        Raises PodNetworkError whose text ends the message of the event FailedCreatePodSandBox.
        """
        if (pod.get("spec") or {}).get("hostNetwork"):
            return Sandbox(node_path(self._layout, self._node.number), (str(self._node.ipv4), str(self._node.ipv6)))
        path = self._path(sandbox_id)
        try:
            addresses = self._pool.allocate(sandbox_id)
            record = SandboxRecord(sandbox_id, (str(addresses.ipv4), str(addresses.ipv6)), port_mappings(pod))
            self._records.save(record)
            await self._connect(path, addresses)
            chain = read_chain(self._configurations)
            record = structs.replace(record, chain=tuple(chain))
            self._records.save(record)
            attachment = Attachment(sandbox_id, str(path), pod, record.port_mappings)
            result = await self._plugins.add(chain, attachment, self._result(path, addresses))
            record = structs.replace(record, result=result, ips=_result_ips(result) or record.ips)
            self._records.save(record)
            if record.port_mappings:
                await self._map_ports()
        except (CniError, CommandError, OSError, AddressesExhausted) as error:
            await self._undo(pod, sandbox_id)
            raise PodNetworkError(f'failed to setup network for sandbox "{sandbox_id}": {error}') from error
        except asyncio.CancelledError:
            await asyncio.shield(self._undo(pod, sandbox_id))
            raise
        return Sandbox(path, record.ips)

    async def remove(self, pod: Obj, sandbox_id: str) -> None:
        """Takes the pod's network down; nothing happens when there is none (any more).

        Raises PodNetworkError when a CNI plugin fails: the namespace then stays for the next attempt.
        """
        if (pod.get("spec") or {}).get("hostNetwork"):
            return
        path = self._path(sandbox_id)
        record = self._records.get(sandbox_id)
        if record is not None and record.chain:
            netns = str(path) if is_namespace(path) else ""
            attachment = Attachment(sandbox_id, netns, pod, record.port_mappings)
            try:
                await self._plugins.delete(list(record.chain), attachment, record.result)
            except CniError as error:
                raise PodNetworkError(f'failed to destroy network for sandbox "{sandbox_id}": {error}') from error
        await self._disconnect(sandbox_id)

    async def check(self, pod: Obj, sandbox_id: str) -> Sandbox | None:
        """The network of a sandbox that exists already; None when it is not whole (then remove and add it).

        Raises PodNetworkError when a CNI plugin's CHECK fails.
        """
        if (pod.get("spec") or {}).get("hostNetwork"):
            return await self.add(pod, sandbox_id)
        path = self._path(sandbox_id)
        record = self._records.get(sandbox_id)
        if record is None or record.result is None or not is_namespace(path) or INTERFACE not in interfaces(path):
            return None
        attachment = Attachment(sandbox_id, str(path), pod, record.port_mappings)
        try:
            await self._plugins.check(list(record.chain), attachment, record.result)
        except CniError as error:
            raise PodNetworkError(f'network of sandbox "{sandbox_id}" is not as it should be: {error}') from error
        return Sandbox(path, record.ips)

    def known(self) -> set[str]:
        """The ids of the sandboxes that have (something of) a network: those no pod has any more are to be removed."""
        return {record.sandbox_id for record in self._records.all()} | self._pool.owners()

    async def _connect(self, path: Path, addresses: Addresses) -> None:
        device = _device(addresses)
        if is_namespace(path):
            delete_namespace(path)
        await asyncio.to_thread(create_namespace, path, POD_SYSCTLS)
        if device in interfaces(self._namespace):
            await ip_batch_async([f"link del {device}"], namespace=self._namespace, keep_going=True)
        hardware = _hardware_address(addresses)
        await ip_batch_async(
            [
                f"link add {device} address {NODE_HARDWARE_ADDRESS} type veth "
                f"peer name {INTERFACE} address {hardware} netns {path}",
                f"addr add {GATEWAY_IPV6}/64 dev {device} nodad",
                f"link set {device} up",
            ],
            namespace=self._namespace,
        )
        await ip_batch_async(
            [
                "link set lo up",
                f"addr add {addresses.ipv4}/32 dev {INTERFACE}",
                f"addr add {addresses.ipv6}/128 dev {INTERFACE} nodad",
                f"link set {INTERFACE} up",
                f"neigh replace {GATEWAY_IPV4} lladdr {NODE_HARDWARE_ADDRESS} dev {INTERFACE} nud permanent",
                f"neigh replace {GATEWAY_IPV6} lladdr {NODE_HARDWARE_ADDRESS} dev {INTERFACE} nud permanent",
                f"route add {GATEWAY_IPV4} dev {INTERFACE} scope link",
                f"route add default via {GATEWAY_IPV4} dev {INTERFACE} src {addresses.ipv4}",
                f"route add default via {GATEWAY_IPV6} dev {INTERFACE} src {addresses.ipv6}",
            ],
            namespace=path,
        )
        # Last: whoever sees the route can talk to the pod.
        await ip_batch_async(
            [
                f"neigh replace {addresses.ipv4} lladdr {hardware} dev {device} nud permanent",
                f"neigh replace {addresses.ipv6} lladdr {hardware} dev {device} nud permanent",
                f"route replace {addresses.ipv4}/32 dev {device} src {self._node.ipv4}",
                f"route replace {addresses.ipv6}/128 dev {device} src {self._node.ipv6}",
            ],
            namespace=self._namespace,
        )

    async def _disconnect(self, sandbox_id: str) -> None:
        addresses = self._pool.find(sandbox_id)
        if addresses is not None and _device(addresses) in interfaces(self._namespace):
            # Explicitly: a process that still holds the namespace must not keep the pod's addresses in use.
            await ip_batch_async([f"link del {_device(addresses)}"], namespace=self._namespace, keep_going=True)
        delete_namespace(self._path(sandbox_id))
        record = self._records.get(sandbox_id)
        self._records.remove(sandbox_id)
        if record is not None and record.port_mappings:
            await self._map_ports()
        self._pool.free(sandbox_id)

    async def _undo(self, pod: Obj, sandbox_id: str) -> None:
        """Takes down what an unfinished `add` left; of two failures, the first is the one to tell."""
        try:
            await self.remove(pod, sandbox_id)
        except PodNetworkError:
            await self._disconnect(sandbox_id)

    async def _map_ports(self) -> None:
        pods = [(record.ips, record.port_mappings) for record in self._records.all() if record.port_mappings]
        await nft_async(render_host_ports(pods), namespace=self._namespace)

    def _path(self, sandbox_id: str) -> Path:
        if not _SANDBOX_ID.fullmatch(sandbox_id):
            raise PodNetworkError(f"sandbox id {sandbox_id!r}")
        return self._paths / sandbox_id

    def _result(self, path: Path, addresses: Addresses) -> Obj:
        """The pod's own network as a CNI result."""
        return {
            "cniVersion": "1.0.0",
            "interfaces": [
                {"name": _device(addresses), "mac": NODE_HARDWARE_ADDRESS},
                {"name": INTERFACE, "mac": _hardware_address(addresses), "sandbox": str(path)},
            ],
            "ips": [
                {"address": f"{addresses.ipv4}/32", "gateway": GATEWAY_IPV4, "interface": 1},
                {"address": f"{addresses.ipv6}/128", "gateway": GATEWAY_IPV6, "interface": 1},
            ],
            "routes": [{"dst": "0.0.0.0/0", "gw": GATEWAY_IPV4}, {"dst": "::/0", "gw": GATEWAY_IPV6}],
            "dns": {},
        }


def _device(addresses: Addresses) -> str:
    """The node's end of the pod's veth."""
    return f"pod{addresses.offset}"


def _hardware_address(addresses: Addresses) -> str:
    """A locally administered address that follows from the pod's IPv4 address, as CNI's own plugins derive it."""
    return "0a:58:" + ":".join(f"{byte:02x}" for byte in addresses.ipv4.packed)


def _result_ips(result: Obj) -> tuple[str, ...]:
    found = [str(ip.get("address", "")).partition("/")[0] for ip in result.get("ips") or () if isinstance(ip, dict)]
    return tuple(ip for ip in found if ip)
