"""Where workloads are: region, zone and subzone."""

from __future__ import annotations

from collections.abc import Mapping

from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model.endpoint import Locality
from lateen.model.inputs import NODES

REGION_LABELS = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
ZONE_LABELS = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
SUBZONE_LABEL = "topology.istio.io/subzone"
LOCALITY_LABELS = ("topology.istio.io/locality", "istio-locality")
"""On a workload: its whole locality, with `.` for `/`, which labels cannot hold."""


def parse_locality(text: str) -> Locality:
    """`region/zone/subzone`; what is left out is empty, what follows is part of the subzone."""
    region, _, rest = text.partition("/")
    zone, _, subzone = rest.partition("/")
    return Locality(region, zone, subzone)


def labelled_locality(labels: Mapping[str, str]) -> Locality | None:
    """What a workload's own labels say; None when they do not."""
    for name in LOCALITY_LABELS:
        if labels.get(name):
            return parse_locality(labels[name].replace(".", "/"))
    return None


@query
def node_locality(db: Reader, key: Key) -> Locality:
    """The locality of what runs on a node, by the node's labels; empty when the node is unknown."""
    node = NODES.get(db, key)
    if node is None:
        return Locality()
    labels = node.metadata.labels
    return Locality(_first(labels, REGION_LABELS), _first(labels, ZONE_LABELS), labels.get(SUBZONE_LABEL, ""))


def _first(labels: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")
