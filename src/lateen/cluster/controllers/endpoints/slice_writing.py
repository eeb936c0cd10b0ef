"""Writes what slicing found."""

from __future__ import annotations

import asyncio

from lateen.cluster.client.indexed_store import by_label
from lateen.cluster.controllers.controller import Environment, namespace_terminating
from lateen.cluster.controllers.endpoints.slicing import SliceChanges
from lateen.cluster.controllers.resources import SLICES
from lateen.cluster.status import StatusError

SERVICE_NAME = "kubernetes.io/service-name"
BY_SERVICE = by_label(SERVICE_NAME)
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SLICE_MANAGER = "endpointslice-controller.k8s.io"
MIRROR_MANAGER = "endpointslicemirroring-controller.k8s.io"


async def write(env: Environment, changes: SliceChanges) -> None:
    """Creates and updates before it deletes, so that no endpoint is missing in between. Raises StatusError."""
    try:
        await asyncio.gather(
            *(env.create(SLICES, slice_) for slice_ in changes.create),
            *(env.update(SLICES, slice_) for slice_ in changes.update),
        )
    except StatusError as error:
        if namespace_terminating(error):
            return
        raise
    for slice_ in changes.delete:
        await env.delete(SLICES, slice_)
