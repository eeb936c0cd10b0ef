"""How a client prefers some endpoints of a cluster to others by where they are: resolved from what DestinationRules,
services and the mesh say of locality into what one kind of client does with it."""

from __future__ import annotations

from typing import NamedTuple

from lateen.api.networking.destination_rule import LocalityLoadBalancerSetting, TrafficPolicy
from lateen.model.endpoint import Locality
from lateen.model.proxy import ClientView, Labels
from lateen.model.selecting_labels import projected
from lateen.model.service import Service

NETWORK = "topology.istio.io/network"
REGION = "topology.kubernetes.io/region"
ZONE = "topology.kubernetes.io/zone"
SUBZONE = "topology.istio.io/subzone"
CLUSTER = "topology.istio.io/cluster"
NODE = "kubernetes.io/hostname"

_DISTRIBUTIONS = {
    "PreferSameZone": (NETWORK, REGION, ZONE),
    "PreferSameNode": (NETWORK, REGION, ZONE, SUBZONE, NODE),
}


class Place(NamedTuple):
    """Where a client is, as far as it may matter."""

    locality: Locality
    network: str
    cluster: str
    node: str
    labels: Labels

    def label(self, name: str) -> str:
        """A label of the client; those about its place are its place."""
        own = {
            REGION: self.locality.region,
            ZONE: self.locality.zone,
            SUBZONE: self.locality.subzone,
            NETWORK: self.network,
            CLUSTER: self.cluster,
            NODE: self.node,
        }
        return own.get(name) or dict(self.labels).get(name, "")


class Spread(NamedTuple):
    """What one kind of client does with the localities of a cluster. Clients that do the same share it."""

    shares: tuple[tuple[str, int], ...] = ()
    """Percent of traffic by locality pattern (`region/zone/*`); localities that no pattern matches get none."""
    priorities: tuple[tuple[str, str], ...] = ()
    """Labels with the client's values: an endpoint is the nearer, the more of them it agrees with, in this order."""
    near: Locality | None = None
    """Endpoints are the nearer, the more of this locality they share."""
    failover_region: str = ""
    """Where to go first, of other regions."""


def place_of(view: ClientView, names: frozenset[str]) -> Place:
    """Where a view's clients are; of their labels those that are asked for."""
    return Place(view.locality, view.network, view.cluster_id, view.node, projected(view.labels, names))


def spread_of(
    place: Place,
    service: Service,
    policy: TrafficPolicy | None,
    mesh: LocalityLoadBalancerSetting | None,
) -> Spread | None:
    """What clients at a place do; None when localities make no difference to them.

    A DestinationRule's setting comes before the service's traffic distribution, and that before the mesh's setting. Of
    a setting, `distribute` is done in any case; failover only with outlier detection, without which Envoy would not
    notice that there is anything to fail over from. A service's traffic distribution needs none.
    """
    balancer = policy.load_balancer if policy is not None else None
    setting = balancer.locality_lb_setting if balancer is not None else None
    if setting is None and service.traffic_distribution:
        labels = _DISTRIBUTIONS[service.traffic_distribution]
        return Spread(priorities=tuple((name, place.label(name)) for name in labels))
    setting = setting if setting is not None else mesh
    if setting is None or setting.enabled is False:
        return None
    if setting.distribute:
        return _distributed(place.locality, setting)
    if policy is None or policy.outlier_detection is None:
        return None
    return _failing_over(place, setting)


def _distributed(locality: Locality, setting: LocalityLoadBalancerSetting) -> Spread | None:
    for each in setting.distribute:
        if locality_matches(locality, each.from_):
            return Spread(shares=tuple(sorted(each.to.items())))
    return None


def _failing_over(place: Place, setting: LocalityLoadBalancerSetting) -> Spread | None:
    region = place.locality.region
    to = next((each.to for each in setting.failover if each.from_ == region), "")
    if setting.failover_priority:
        priorities = tuple(_priority(place, text) for text in setting.failover_priority)
        by_region = bool(setting.failover) and bool(region)
        return Spread(priorities=priorities, near=place.locality if by_region else None, failover_region=to)
    return Spread(near=place.locality, failover_region=to) if region else None


def _priority(place: Place, text: str) -> tuple[str, str]:
    """`label` stands for the client's own value, `label=value` for that value."""
    name, given, value = text.partition("=")
    return (name, value if given else place.label(name))


def locality_matches(locality: Locality, pattern: str) -> bool:
    """Whether a locality is within `region/zone/subzone`, where `*` or leaving out what follows means any."""
    for wanted, part in zip(pattern.split("/"), locality, strict=False):
        if wanted == "*":
            return True
        if wanted != part:
            return False
    return True
