"""Forgets the kernel's UDP flows that lead to endpoints which are gone.

TCP notices a dead endpoint; a UDP client that goes on sending from one port would keep its flow, and with it the old
endpoint, for ever. Source: kube-proxy's conntrack cleanup, conntrack(8).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from lateen.cluster.network.commands import CommandError, run_async

_Frontends = Mapping[str, frozenset[str]]


def stale_flows(old: _Frontends, new: _Frontends) -> list[tuple[str, ...]]:
    """Arguments of `conntrack -D` for each set of flows that must go, given `address/port` -> endpoint addresses."""
    stale: list[tuple[str, ...]] = []
    for frontend, before in sorted(old.items()):
        address, port = frontend.split("/")
        gone = before - new.get(frontend, frozenset())
        stale += [(*_matching(address, port), "--dst-nat", endpoint) for endpoint in sorted(gone)]
    for frontend, after in sorted(new.items()):
        if after and not old.get(frontend):
            # Flows from the time without endpoints are not translated at all.
            address, port = frontend.split("/")
            stale.append(_matching(address, port))
    return stale


def _matching(address: str, port: str) -> tuple[str, ...]:
    family = "ipv6" if ":" in address else "ipv4"
    return ("-f", family, "-p", "udp", "--orig-dst", address, "--orig-port-dst", port)


async def forget_flows(stale: Iterable[tuple[str, ...]]) -> None:
    """Deletes the flows in this process' network namespace. None being there is no error (conntrack says it is)."""
    for arguments in stale:
        with contextlib.suppress(CommandError):
            await run_async(["conntrack", "-D", *arguments])
