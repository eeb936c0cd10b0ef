"""`lateen cluster up`: from nothing, or from kept state, to a cluster that answers and runs pods."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import dnslib
from msgspec import structs

from lateen.cluster.apiserver.kinds.metadata_validation import validate_labels
from lateen.cluster.client.api import Client
from lateen.cluster.conditions import is_true
from lateen.cluster.dns.manifests import dns_manifests
from lateen.cluster.layout import Layout
from lateen.cluster.lifecycle import kubeconfig, processes, reservations
from lateen.cluster.lifecycle.home import ClusterError, Home
from lateen.cluster.lifecycle.kubeconfig import Owner
from lateen.cluster.lifecycle.progress import Progress
from lateen.cluster.network import (
    create_fabric,
    disable_egress,
    enable_egress,
    fabric_exists,
    peer,
    port_is_free,
    range_conflicts,
)
from lateen.cluster.network.dns_forwarding import Forwarder, ForwardError
from lateen.cluster.objects import GVR, Key, Obj, gvk_of, name_of, namespace_of
from lateen.cluster.pki.create import create_pki
from lateen.cluster.spec import Spec, save_spec
from lateen.cluster.status import StatusError

_PROGRAMS = {"nft": "nftables", "ip": "iproute2", "conntrack": "conntrack", "nsenter": "util-linux"}
_NODES = GVR("", "v1", "nodes")
_DEPLOYMENTS = GVR("apps", "v1", "deployments")


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; None leaves an existing cluster's setting as it is."""

    name: str
    nodes: int | None = None
    peers: tuple[str, ...] | None = None
    egress: bool | None = None
    node_labels: dict[str, dict[str, str]] | None = None
    kubeconfig: Path | None = None
    """The user's kubeconfig to add the context to; None leaves it alone."""
    kubeconfig_owner: Owner | None = None
    """Whose rights to write it with; None writes as whoever runs this."""
    timeout_seconds: float = 120.0


def up(home: Home, request: Request, progress: Progress) -> Layout:
    """Brings the cluster up, or brings what of it is down back up. Returns when its nodes and DNS are ready.

    Raises ClusterError with what to do about it.
    """
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            raise ClusterError(f"{program} is missing; install it with: apt-get install {package}")
    with home.lock():
        layout, spec = _claim(home, request)
        reservations.reserve(layout)
        with progress.step(f"Writing certificates and kubeconfigs to {layout.root}"):
            for directory in (layout.run, layout.logs, layout.images):
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            create_pki(layout, spec.nodes)
        with progress.step(f"Making the network: {spec.nodes} node(s), pods {layout.pods_ipv4} and {layout.pods_ipv6}"):
            create_fabric(layout, spec.nodes)
            (enable_egress if spec.egress else disable_egress)(layout)
        for other in spec.peers:
            with progress.step(f"Peering with cluster {other}"):
                _peer(home, layout, other)
    with progress.step("Starting the API server, the controllers and the nodes"):
        _start_supervisor(layout)
    asyncio.run(_settle(layout, spec, progress, request.timeout_seconds))
    if request.kubeconfig is not None:
        with progress.step(f"Writing context {kubeconfig.context_name(layout.name)} to {request.kubeconfig}"):
            admin = layout.kubeconfigs / "admin.conf"
            kubeconfig.add_context(request.kubeconfig, admin, layout.name, request.kubeconfig_owner)
    return layout


def _claim(home: Home, request: Request) -> tuple[Layout, Spec]:
    """The cluster's place and its spec with the request's changes, on disk."""
    for other in request.peers or ():
        if other == request.name:
            raise ClusterError(f"--peer {other}: a cluster cannot be its own peer")
        home.spec(other)
    if request.name in home.names():
        spec = home.spec(request.name)
        layout = home.layout(request.name)
        if request.nodes is not None and request.nodes < spec.nodes:
            raise ClusterError(
                f"cluster {request.name} has {spec.nodes} nodes; fewer is not possible without "
                f"`lateen cluster down --name {request.name}`"
            )
        holder = reservations.holder(layout.index)
        if holder is not None and holder != layout.root.absolute():
            raise ClusterError(
                f"the address ranges of cluster {request.name} belong to the cluster in {holder} by now: take that "
                f"down, or make {request.name} anew after `lateen cluster down --name {request.name}`"
            )
        if _running(layout, "apiserver") is None and not port_is_free(layout.api_port):
            raise ClusterError(
                f"port {layout.api_port} of 127.0.0.1, where the API server of cluster {request.name} has been, is in "
                f"use by another program: end that (ss -ltnp 'sport = :{layout.api_port}' shows it), or make the "
                f"cluster anew after `lateen cluster down --name {request.name}`"
            )
        changed = structs.replace(
            spec,
            nodes=request.nodes or spec.nodes,
            peers=tuple(dict.fromkeys((*spec.peers, *(request.peers or ())))),
            egress=spec.egress if request.egress is None else request.egress,
            node_labels={**spec.node_labels, **(request.node_labels or {})},
        )
        _check_node_labels(layout, changed.nodes, request.node_labels or {})
        if changed.nodes != spec.nodes and _running(layout, "supervisor") is not None:
            # The supervisor reads the set of nodes at its start; its processes are taken over by the next one.
            _stop_supervisor_alone(layout)
        save_spec(layout.root, changed)
        return layout, changed

    def spec_at(index: int) -> Spec:
        return Spec(
            name=request.name,
            index=index,
            nodes=request.nodes or 1,
            peers=request.peers or (),
            egress=bool(request.egress),
            node_labels=request.node_labels or {},
        )

    unplaced = Layout(request.name, 0, home.root(request.name))
    _check_node_labels(unplaced, request.nodes or 1, request.node_labels or {})
    if fabric_exists(unplaced):
        raise ClusterError(
            f"a cluster {request.name} of another LATEEN_HOME is on this machine (ip netns list shows its namespaces); "
            "choose another name with --name"
        )
    layout = home.claim(spec_at, request.name, _is_free)
    return layout, spec_at(layout.index)


def _check_node_labels(layout: Layout, nodes: int, labels: dict[str, dict[str, str]]) -> None:
    known = [layout.node(number).name for number in range(1, nodes + 1)]
    for node, wanted in labels.items():
        if node not in known:
            raise ClusterError(f"--node-label: there is no node {node}; nodes of {layout.name}: {', '.join(known)}")
        if faults := validate_labels(wanted, node):
            raise ClusterError(f"--node-label: {faults[0].message}")


def _is_free(candidate: Layout) -> bool:
    return (
        reservations.holder(candidate.index) is None
        and port_is_free(candidate.api_port)
        and not range_conflicts(candidate)
    )


def _peer(home: Home, layout: Layout, other: str) -> None:
    """Joins two fabrics; a peer that is down joins when it comes up, since both specs name each other."""
    with contextlib.suppress(ClusterError):
        spec = home.spec(other)
        if layout.name not in spec.peers:
            save_spec(home.root(other), structs.replace(spec, peers=(*spec.peers, layout.name)))
        theirs = home.layout(other)
        if fabric_exists(theirs):
            peer(layout, theirs)


def _running(layout: Layout, component: str) -> processes.ProcessRecord | None:
    found = processes.read_record(layout.run / f"{component}.pid")
    return found if found is not None and found.alive else None


def _stop_supervisor_alone(layout: Layout) -> None:
    """Ends the supervisor with SIGKILL, which leaves its processes running for the next supervisor to take over."""
    found = _running(layout, "supervisor")
    if found is not None:
        processes.kill(found)


def _start_supervisor(layout: Layout) -> None:
    if _running(layout, "supervisor") is not None:
        return
    with open(layout.logs / "supervisor.log", "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lateen.cluster.lifecycle.supervisor", "--root", str(layout.root)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
        )
    # Recorded here as well as by itself, so that a `down` right after finds it.
    processes.record(layout.run / "supervisor.pid", process.pid)


async def _settle(layout: Layout, spec: Spec, progress: Progress, seconds: float) -> None:
    """Waits for the API server, applies cluster DNS, waits for nodes and DNS."""
    step = "the API server"
    try:
        async with asyncio.timeout(seconds):
            async with Client.from_kubeconfig(layout.kubeconfigs / "admin.conf") as client:
                with progress.step("Waiting for the API server"):
                    await _until_ready(client)
                step = "cluster DNS"
                with progress.step("Applying cluster DNS"):
                    for obj in dns_manifests(layout):
                        await client.apply(_gvr(obj), obj, manager="lateen-cluster", force=True)
                step = "the nodes"
                with progress.step("Waiting for the nodes"):
                    await _until_nodes_ready(client, {layout.node(n).name for n in range(1, spec.nodes + 1)})
                    # A node reads its labels when it starts; these may be new to one that runs.
                    for node, labels in spec.node_labels.items():
                        await client.patch(_NODES, Key("", node), {"metadata": {"labels": labels}})
                step = "cluster DNS"
                with progress.step("Waiting for cluster DNS"):
                    await _until_available(client, "kube-system", "kube-dns")
                    await _until_resolved(layout, f"kubernetes.default.svc.{layout.domain}")
    except TimeoutError:
        raise ClusterError(
            f"{step} did not get ready within {seconds:.0f} s; see: lateen cluster logs --name {layout.name}, "
            f"or take it down with: lateen cluster down --name {layout.name}"
        ) from None


async def _until_ready(client: Client) -> None:
    while True:
        with contextlib.suppress(StatusError):
            await client.request("GET", "/readyz")
            return
        await asyncio.sleep(0.05)


async def _until_nodes_ready(client: Client, names: set[str]) -> None:
    waiting = set(names)
    async for node in _states(client, _NODES):
        if is_true(node, "Ready"):
            waiting.discard(name_of(node))
        if not waiting:
            return


async def _until_available(client: Client, namespace: str, name: str) -> None:
    async for deployment in _states(client, _DEPLOYMENTS, namespace, f"metadata.name={name}"):
        # Not the condition Available: a rolling update that may have one unavailable pod is Available with none.
        status = deployment.get("status") or {}
        if int(status.get("availableReplicas") or 0) >= int(deployment["spec"].get("replicas", 1)):
            return


async def _until_resolved(layout: Layout, name: str) -> None:
    """Asks cluster DNS itself: the statuses of a cluster that was down are those from before."""
    question = bytes(dnslib.DNSRecord.question(name).pack())
    dns = Forwarder([str(layout.dns_service_ipv4)], timeout=0.5)
    while True:
        with contextlib.suppress(ForwardError, dnslib.DNSError):
            if dnslib.DNSRecord.parse(await dns.ask(question, tcp=False)).rr:
                return
        await asyncio.sleep(0.05)


async def _states(client: Client, gvr: GVR, namespace: str = "", fields: str = "") -> AsyncIterator[Obj]:
    """The objects as they are and as they change, through breaks of the connection."""
    while True:
        with contextlib.suppress(StatusError):
            # Without a resourceVersion a watch begins with everything there is.
            async with client.watch(gvr, namespace, fields=fields) as watch:
                async for event in watch:
                    if event.type in ("ADDED", "MODIFIED"):
                        yield event.object
        await asyncio.sleep(0.05)


def _gvr(obj: Obj) -> GVR:
    """The manifests of cluster DNS are ours, so that the plural of each kind is regular."""
    kind = gvk_of(obj)
    assert namespace_of(obj) or kind.kind.startswith("ClusterRole"), kind
    return GVR(kind.group, kind.version, kind.kind.lower() + "s")
