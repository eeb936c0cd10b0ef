"""What of a proxy decides on the form of its listeners."""

from __future__ import annotations

from typing import NamedTuple

from lateen.model.proxy import Interception, Traits


class ListenForm(NamedTuple):
    """What of a proxy decides on the form of its listeners."""

    ipv4: bool
    ipv6: bool
    captured: bool
    """Traffic is redirected to it; otherwise it binds the services' ports at loopback."""
    dns_capture: bool
    """Applications are told automatic addresses."""
    privileged_ports: bool
    cluster_id: str
    """Virtual addresses of a service may differ from cluster to cluster."""

    @property
    def wildcards(self) -> tuple[str, ...]:
        return tuple(a for a, used in (("0.0.0.0", self.ipv4 or not self.ipv6), ("::", self.ipv6)) if used)

    @property
    def loopbacks(self) -> tuple[str, ...]:
        return tuple(a for a, used in (("127.0.0.1", self.ipv4 or not self.ipv6), ("::1", self.ipv6)) if used)


def listen_form(traits: Traits, cluster_id: str) -> ListenForm:
    """What matters of a proxy for its outbound listeners."""
    return ListenForm(
        traits.ipv4,
        traits.ipv6,
        traits.interception is not Interception.NONE,
        traits.dns_capture,
        traits.privileged_ports,
        cluster_id,
    )
