"""What a cluster has once, whatever the revisions: the definitions of the mesh's kinds."""

from __future__ import annotations

from typing import Any

from lateen.api.crds import crds
from lateen.install.names import BASE, owner_labels
from lateen.install.values.operator import Operator


def base_objects(operator: Operator) -> list[dict[str, Any]]:
    labels = owner_labels(BASE, operator.revision, operator.namespace)
    if not operator.values.base.enable_istio_config_crds:
        return []
    found = crds()
    for each in found:
        each["metadata"]["labels"] = {**each["metadata"].get("labels", {}), **labels}
    return found
