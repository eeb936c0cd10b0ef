"""Patches of clusters."""

from __future__ import annotations

from typing import Any

from envoy.config.cluster.v3 import cluster_pb2

from lateen.api.networking.envoy_filter import Operation
from lateen.translate.patches.matching import cluster_matches
from lateen.translate.patches.merge import merge_any_by, merge_by
from lateen.translate.patches.misfits import Misfits
from lateen.translate.patches.patch import Patch


def patch_cluster(cluster: Any, patches: list[Patch], misfits: Misfits) -> bool:
    """Applies patches to a cluster; false if one of them removes it."""
    for patch in patches:
        if not cluster_matches(patch.outline.match.cluster, cluster):
            continue
        if patch.outline.operation is Operation.REMOVE:
            return False
        if patch.outline.operation.is_merge:
            with misfits.of(patch):
                _merge(cluster, patch)
    return True


def _merge(cluster: Any, patch: Patch) -> None:
    value = cluster_pb2.Cluster.FromString(patch.value)
    if value.HasField("transport_socket"):
        _merge_transport_socket(cluster, value.transport_socket, patch.outline.operation)
        value.ClearField("transport_socket")
    merge_by(patch.outline.operation, cluster, value)


def _merge_transport_socket(cluster: Any, patch: Any, operation: Operation) -> None:
    """Into the transport socket of the same name, or into the first alternative of that name.

    Where there is none, it takes the place of the cluster's own; alternatives that have no such name are left alone, as
    they would go before it anyway.
    """
    alternatives = [each.transport_socket for each in cluster.transport_socket_matches]
    own = [cluster.transport_socket] if cluster.HasField("transport_socket") and not alternatives else []
    found = next((each for each in (*alternatives, *own) if each.name == patch.name), None)
    if found is None:
        if not alternatives:
            cluster.transport_socket.CopyFrom(patch)
    elif found.HasField("typed_config") and patch.HasField("typed_config"):
        merge_any_by(operation, found.typed_config, patch.typed_config)
