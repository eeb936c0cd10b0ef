"""`lateen cluster down`: ends every process, removes every namespace, interface, rule and mount, and the state."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import structs

from lateen.cluster.layout import Layout
from lateen.cluster.lifecycle import kubeconfig, processes, reservations
from lateen.cluster.lifecycle.components import components
from lateen.cluster.lifecycle.home import ClusterError, Home
from lateen.cluster.lifecycle.progress import Progress
from lateen.cluster.lifecycle.supervisor import STOP_SECONDS
from lateen.cluster.network import delete_fabric, disable_egress, unpeer
from lateen.cluster.node.cleanup import clean_up_node
from lateen.cluster.spec import Spec, save_spec


def down(
    home: Home,
    name: str,
    progress: Progress,
    *,
    kubeconfig_path: Path | None,
    kubeconfig_owner: kubeconfig.Owner | None = None,
    keep_state: bool = False,
) -> None:
    """Takes a cluster down whatever state it is in: running, half up, or crashed.

    With `keep_state` its objects stay on disk and the next `up` continues with them. Raises ClusterError when there
    is no such cluster.
    """
    if name not in home.names():
        known = ", ".join(home.names()) or "none"
        raise ClusterError(f"there is no cluster {name!r} to take down (clusters here: {known})")
    with home.lock():
        spec = home.spec(name)
        layout = home.layout(name)
        with progress.step("Stopping the cluster's processes"):
            _stop_processes(layout, spec)
        with progress.step("Ending its pods"):
            for number in range(1, spec.nodes + 1):
                clean_up_node(layout, number)
        with progress.step("Removing its network"):
            for peer in _known_peers(home, spec):
                unpeer(layout, home.layout(peer))
            disable_egress(layout)
            delete_fabric(layout)
        if kubeconfig_path is not None:
            kubeconfig.remove_context(kubeconfig_path, name, kubeconfig_owner)
        shutil.rmtree(layout.run, ignore_errors=True)
        if keep_state:
            return
        with progress.step("Removing its state"):
            for peer in _known_peers(home, spec):
                _forget_peer(home, peer, name)
            shutil.rmtree(layout.root, onerror=_unless_gone)
            reservations.release(layout)


def _unless_gone(function: object, path: str, error: tuple[Any, BaseException, Any]) -> None:
    """What somebody else has removed meanwhile is what was wanted."""
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]


def _stop_processes(layout: Layout, spec: Spec) -> None:
    """The supervisor first: it ends the others in order, and would start again what is ended behind its back."""
    expected = components(layout, spec.nodes)
    supervisor = processes.read_record(layout.run / "supervisor.pid")
    if supervisor is not None and supervisor.alive:
        processes.terminate(supervisor, STOP_SECONDS * (len(expected) + 1))
    for component in reversed(expected):
        left = processes.read_record(layout.run / f"{component.name}.pid")
        if left is not None and left.alive:
            processes.terminate(left, STOP_SECONDS)


def _known_peers(home: Home, spec: Spec) -> Iterator[str]:
    existing = set(home.names())
    return (peer for peer in spec.peers if peer in existing)


def _forget_peer(home: Home, peer: str, name: str) -> None:
    try:
        spec = home.spec(peer)
    except ClusterError:
        return
    kept = tuple(p for p in spec.peers if p != name)
    save_spec(home.root(peer), structs.replace(spec, peers=kept))
