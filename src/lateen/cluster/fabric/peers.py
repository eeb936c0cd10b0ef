"""Keeps the routes to peer clusters: a peer that went and came back is joined again."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from lateen.cluster import network
from lateen.cluster.layout import Layout, load
from lateen.cluster.network.commands import CommandError
from lateen.cluster.spec import load_spec

_SECONDS = 30.0
_log = logging.getLogger(__name__)


async def keep_peers(layout: Layout) -> None:
    """Joins the fabrics of all peers that are there, again and again, until cancelled."""
    while True:
        await asyncio.to_thread(join_peers, layout)
        await asyncio.sleep(_SECONDS)


def join_peers(layout: Layout) -> None:
    """Joins the fabric with those of its spec's peers that exist; peers' directories are beside the cluster's own."""
    try:
        names = load_spec(layout.root).peers
    except (OSError, ValueError) as error:
        _log.error("peers are not known: %s", error)
        return
    for name in names:
        try:
            other = load(_beside(layout.root, name))
            if network.fabric_exists(layout) and network.fabric_exists(other):
                network.peer(layout, other)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, CommandError) as error:
            _log.error("peer %s: %s", name, error)


def _beside(root: Path, name: str) -> Path:
    return root.parent / name
