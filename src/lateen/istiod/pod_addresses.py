"""Whose an address of the pod network is, as far as the mesh knows."""

from __future__ import annotations

from lateen.engine import Engine
from lateen.model.inputs import PODS


class PodAddresses:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def holder(self, address: str) -> str:
        """`namespace/name` of the one pod whose own it is; empty for addresses of nodes, of nobody and of several."""
        pods = self._engine.data(PODS)
        keys = pods.members("address", address).sorted()
        if len(keys) != 1 or pods.values[keys[0]].status.host_ip == address:
            return ""
        return f"{keys[0].namespace}/{keys[0].name}"
