"""A pod's sandbox: its network and its shim, made once, found again after a restart of the node, taken down."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

from lateen.cluster.layout import Layout
from lateen.cluster.node import name_resolution
from lateen.cluster.node.pod_directory import PodDirectory
from lateen.cluster.node.shim_client import ContainerState, Shim, ShimError, connected, start_shim
from lateen.cluster.objects import Obj


class SandboxError(RuntimeError):
    """The sandbox cannot be made now; it is tried again."""


class PodNetworkResult(Protocol):
    @property
    def netns_path(self) -> Path: ...

    @property
    def ips(self) -> tuple[str, ...]: ...


class PodNetworkSetup(Protocol):
    """`node.network.pod_network.PodNetwork`, as the sandbox uses it. `remove` may be repeated."""

    async def add(self, pod: Obj, sandbox_id: str) -> PodNetworkResult: ...

    async def check(self, pod: Obj, sandbox_id: str) -> PodNetworkResult | None: ...

    async def remove(self, pod: Obj, sandbox_id: str) -> None: ...


class Sandbox:
    """One pod's. `id` is empty while there is none."""

    def __init__(
        self, directory: PodDirectory, layout: Layout, node: int, network: PodNetworkSetup, hostname: str
    ) -> None:
        self.id = ""
        self.ips: tuple[str, ...] = ()
        self.netns: Path | None = None
        self.shim: Shim | None = None
        self._directory = directory
        self._layout = layout
        self._node = layout.node(node)
        self._network = network
        self._hostname = hostname
        self._connection = AsyncExitStack()

    @property
    def ready(self) -> bool:
        return self.shim is not None and not self.shim.gone.is_set()

    async def adopt(self, on_change: Callable[[ContainerState], None], on_gone: Callable[[], None]) -> bool:
        """Finds what a former node process left. Returns whether its shim lives."""
        try:
            state = json.loads(self._directory.sandbox.read_bytes())
            self.id, self.ips = state["id"], tuple(state["ips"])
            self.netns = Path(state["netns"]) if state["netns"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return False
        try:
            self.shim = await self._connection.enter_async_context(connected(self._directory.path, on_change, on_gone))
        except ShimError:
            return False
        return True

    async def network_fault(self, pod: Obj) -> str:
        """What is wrong with the network of an adopted sandbox (CNI's CHECK among it); empty when nothing is."""
        if pod["spec"].get("hostNetwork"):
            return ""
        try:
            found = await self._network.check(pod, self.id)
        except Exception as error:
            # A network plugin's failures are of its own kinds.
            return str(error)
        return "" if found is not None else "its network is not whole"

    async def create(
        self,
        pod: Obj,
        tmpfs: Sequence[dict[str, Any]],
        on_change: Callable[[ContainerState], None],
        on_gone: Callable[[], None],
    ) -> None:
        """Makes network and shim. Raises SandboxError; `tear_down` removes what was made so far."""
        spec = pod["spec"]
        host_network = bool(spec.get("hostNetwork"))
        try:
            self.id = secrets.token_hex(32)
            self._save()
            if not host_network:
                made = await self._network.add(pod, self.id)
                self.netns, self.ips = made.netns_path, tuple(made.ips)
            else:
                self.ips = (str(self._node.ipv4), str(self._node.ipv6))
            self._save()
            self._write_etc(pod)
            security = spec.get("securityContext") or {}
            await start_shim(
                self._directory.path,
                {
                    "netns": str(self.netns or ""),
                    "hostname": self._shown_hostname(pod),
                    "ipc": not spec.get("hostIPC"),
                    "uts": True,
                    "pid": "host"
                    if spec.get("hostPID")
                    else "pod"
                    if spec.get("shareProcessNamespace")
                    else "container",
                    "tmpfs": list(tmpfs),
                    "sysctls": {s["name"]: str(s["value"]) for s in security.get("sysctls") or ()},
                },
            )
            self.shim = await self._connection.enter_async_context(connected(self._directory.path, on_change, on_gone))
        except (ShimError, OSError) as error:
            raise SandboxError(str(error)) from None
        except SandboxError:
            raise
        except Exception as error:
            # A network plugin's failures are of its own kinds; each is a pod that cannot start yet.
            raise SandboxError(str(error)) from error

    def _shown_hostname(self, pod: Obj) -> str:
        if pod["spec"].get("setHostnameAsFQDN"):
            return name_resolution.full_hostname(pod, self._layout) or self._hostname
        return self._hostname

    def _save(self) -> None:
        state = {"id": self.id, "netns": str(self.netns or ""), "ips": list(self.ips)}
        temporary = self._directory.sandbox.with_suffix(".tmp")
        temporary.write_text(json.dumps(state))
        temporary.replace(self._directory.sandbox)

    def _write_etc(self, pod: Obj) -> None:
        machine = Path("/etc/resolv.conf")
        etc = self._directory.etc
        (etc / "resolv.conf").write_text(
            name_resolution.resolv_conf(pod, self._layout, machine.read_text() if machine.exists() else "")
        )
        (etc / "hosts").write_text(
            name_resolution.hosts_file(pod, self.ips, self._layout, Path("/etc/hosts").read_text())
        )
        (etc / "hostname").write_text(self._hostname + "\n")

    async def disconnect(self) -> None:
        """Leaves the pod running and ends the conversation."""
        await self._connection.aclose()
        self.shim = None

    async def tear_down(self, pod: Obj) -> None:
        """Ends everything that runs, then the network. May be repeated. Raises SandboxError."""
        if self.shim is not None:
            await self.shim.shut_down()
        await self.disconnect()
        if not self.id:
            return
        if not pod["spec"].get("hostNetwork"):
            try:
                await self._network.remove(pod, self.id)
            except Exception as error:
                raise SandboxError(str(error)) from error
        self.id, self.netns, self.ips = "", None, ()
        self._directory.sandbox.unlink(missing_ok=True)
