"""Names, labels and places of what is installed: Istio's, because others look for them."""

from __future__ import annotations

import re
from typing import Final

from lateen import __version__
from lateen.model.revision import of_revision

FIELD_MANAGER: Final = "istio-operator"
"""Of the fields that are applied: as Istio's, so that an installation of either is taken over by the other."""
OWNER: Final = "install.operator.istio.io/owning-resource"
OWNER_NAMESPACE: Final = "install.operator.istio.io/owning-resource-namespace"
COMPONENT: Final = "operator.istio.io/component"
MANAGED: Final = "operator.istio.io/managed"
VERSION: Final = "operator.istio.io/version"
REVISION: Final = "istio.io/rev"
TAG: Final = "istio.io/tag"

BASE: Final = "Base"
PILOT: Final = "Pilot"
INGRESS: Final = "IngressGateways"
EGRESS: Final = "EgressGateways"
COMPONENTS: Final = (BASE, PILOT, INGRESS, EGRESS)
"""In the order of application."""
STAGES: Final = ((BASE,), (PILOT,), (INGRESS, EGRESS))
"""Components of one stage do not need each other; those of the next need all that is ready by then."""

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def is_name(text: str) -> bool:
    """A DNS label, which a part of an object's name may be."""
    return _NAME.fullmatch(text) is not None


def owner(revision: str) -> str:
    """What owns the objects of an installation, as `istioctl install` names it."""
    return of_revision("installed-state", revision)


def owner_labels(component: str, revision: str, namespace: str) -> dict[str, str]:
    """Labels by which an installation knows its objects again."""
    # What a cluster has once belongs to whoever installs last.
    shared = component == BASE
    return {
        OWNER: owner("" if shared else revision),
        OWNER_NAMESPACE: namespace,
        COMPONENT: component,
        MANAGED: "Reconcile",
        VERSION: __version__,
        REVISION: "default" if shared or not revision else revision,
    }


def pod_labels(labels: dict[str, str]) -> dict[str, str]:
    """Of an object's labels those that its pods have as well: a new version alone does not replace pods."""
    return {name: labels[name] for name in (OWNER, COMPONENT, REVISION)}
