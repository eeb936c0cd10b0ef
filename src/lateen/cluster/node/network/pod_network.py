"""Pods' network namespaces: made, connected to the node, and taken down. Runs in the node's network namespace.

Each pod has a veth to its node and addresses of its own, routed, as Calico does it: the pod's gateway is a link-local
address that every node end has, and nobody ever asks for a hardware address because both sides know the other's.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_network
from pathlib import Path

from msgspec import structs

from lateen.cluster.layout import Layout
from lateen.cluster.network.commands import CommandError, nft_async
from lateen.cluster.network.fabric import node_path
from lateen.cluster.network.namespace import (
    create_namespace,
    delete_namespace,
    interfaces,
    is_namespace,
    share_directory,
)
from lateen.cluster.network.rtnetlink import RouteSocket, VethEnd
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

_DEFAULT = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}

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
        connecting = asyncio.ensure_future(asyncio.to_thread(self._make, path, addresses))
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # A thread cannot be stopped: what it makes must be there before it is taken down again.
            await asyncio.wait([connecting])
            raise

    def _make(self, path: Path, addresses: Addresses) -> None:
        """Blocks for some milliseconds. Raises OSError."""
        if is_namespace(path):
            delete_namespace(path)
        create_namespace(path, POD_SYSCTLS)
        device = VethEnd(_device(addresses), NODE_HARDWARE_ADDRESS)
        inner = VethEnd(INTERFACE, _hardware_address(addresses))
        ipv4, ipv6 = addresses.ipv4, addresses.ipv6
        with RouteSocket(self._namespace) as node, RouteSocket(path) as pod:
            node.delete_link(device.name)
            node.add_veth(device, inner, path)
            outside = node.index(device.name)
            node.add_address(outside, IPv6Interface(f"{GATEWAY_IPV6}/64"))
            node.set_up(outside)
            pod.set_up(pod.index("lo"))
            inside = pod.index(INTERFACE)
            pod.add_address(inside, IPv4Interface(ipv4))
            pod.add_address(inside, IPv6Interface(ipv6))
            pod.set_up(inside)
            for gateway, own in ((IPv4Address(GATEWAY_IPV4), ipv4), (IPv6Address(GATEWAY_IPV6), ipv6)):
                pod.set_neighbor(inside, gateway, NODE_HARDWARE_ADDRESS)
                if gateway.version == 4:
                    pod.set_route(inside, ip_network(gateway))
                pod.set_route(inside, _DEFAULT[gateway.version], gateway=gateway, source=own)
            # Last: whoever sees the route can talk to the pod.
            for address, source in ((ipv4, self._node.ipv4), (ipv6, self._node.ipv6)):
                node.set_neighbor(outside, address, inner.hardware)
                node.set_route(outside, ip_network(address), source=source)

    async def _disconnect(self, sandbox_id: str) -> None:
        addresses = self._pool.find(sandbox_id)
        if addresses is not None:
            # Explicitly: a process that still holds the namespace must not keep the pod's addresses in use.
            await asyncio.to_thread(self._delete_device, _device(addresses))
        delete_namespace(self._path(sandbox_id))
        record = self._records.get(sandbox_id)
        self._records.remove(sandbox_id)
        if record is not None and record.port_mappings:
            await self._map_ports()
        self._pool.free(sandbox_id)

    def _delete_device(self, name: str) -> None:
        """Nothing happens when there is none."""
        with RouteSocket(self._namespace) as node:
            node.delete_link(name)

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
