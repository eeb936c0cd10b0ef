"""Two clusters' fabrics joined by a veth, so that pods of one reach pods, nodes and load balancers of the other."""

from __future__ import annotations

from lateen.cluster.layout import Layout
from lateen.cluster.network.commands import ip_batch
from lateen.cluster.network.fabric import fabric_path
from lateen.cluster.network.namespace import interfaces, is_namespace


def _device(towards: Layout) -> str:
    return f"peer{towards.index}"


def _link_local(layout: Layout) -> str:
    return f"fe80::{layout.index + 1:x}"


def peer(one: Layout, other: Layout) -> None:
    """Joins two existing fabrics; already joined ones get their routes again. Raises CommandError."""
    if one.index == other.index:
        raise ValueError(f"clusters {one.name} and {other.name} have the same index {one.index}")
    if _device(other) not in interfaces(fabric_path(one)):
        ip_batch([f"link del {_device(one)}"], namespace=fabric_path(other), keep_going=True)
        ip_batch(
            [f"link add {_device(other)} type veth peer name {_device(one)} netns {fabric_path(other)}"],
            namespace=fabric_path(one),
        )
    # Routes need both ends up: a link without carrier has no usable IPv6 next hop.
    for near, far in ((one, other), (other, one)):
        ip_batch(
            [
                f"addr replace {_link_local(near)}/64 dev {_device(far)} nodad",
                f"link set {_device(far)} up",
            ],
            namespace=fabric_path(near),
        )
    for near, far in ((one, other), (other, one)):
        ip_batch(_routes(far), namespace=fabric_path(near))


def _routes(far: Layout) -> list[str]:
    over = f"via inet6 {_link_local(far)} dev {_device(far)}"
    over6 = f"via {_link_local(far)} dev {_device(far)}"
    return [
        *(f"route replace {r} {over}" for r in (far.pods_ipv4, far.fabric_ipv4, far.load_balancers_ipv4)),
        *(f"route replace {r} {over6}" for r in (far.pods_ipv6, far.fabric_ipv6, far.load_balancers_ipv6)),
    ]


def unpeer(one: Layout, other: Layout) -> None:
    """Separates two fabrics; either may be gone already."""
    for near, far in ((one, other), (other, one)):
        path = fabric_path(near)
        if is_namespace(path) and _device(far) in interfaces(path):
            ip_batch([f"link del {_device(far)}"], namespace=path, keep_going=True)
