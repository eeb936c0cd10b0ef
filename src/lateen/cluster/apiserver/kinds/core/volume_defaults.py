"""What Kubernetes fills in for a pod's volumes.

Source: k8s.io/kubernetes `pkg/apis/core/v1/defaults.go`.
"""

from __future__ import annotations

from lateen.cluster.apiserver.kinds.core.container_defaults import default_field_reference
from lateen.cluster.apiserver.kinds.fields import canonical_quantities, fill, mapping, objects, section
from lateen.cluster.objects import Obj
from lateen.cluster.quantity import canonical

_MODE = 0o644


def default_volume(volume: Obj) -> None:
    if not any(value is not None for name, value in volume.items() if name != "name"):
        volume["emptyDir"] = {}
    for name in ("configMap", "downwardAPI", "secret"):
        if isinstance(volume.get(name), dict):
            fill(volume[name], defaultMode=_MODE)
    for item in objects(mapping(volume, "downwardAPI"), "items"):
        default_field_reference(item)
    if isinstance(volume.get("projected"), dict):
        _default_projected(volume["projected"])
    if isinstance(volume.get("hostPath"), dict):
        fill(volume["hostPath"], type="")
    if isinstance(volume.get("emptyDir"), dict) and volume["emptyDir"].get("sizeLimit") is not None:
        volume["emptyDir"]["sizeLimit"] = canonical(volume["emptyDir"]["sizeLimit"])
    if isinstance(volume.get("ephemeral"), dict):
        template = mapping(volume["ephemeral"], "volumeClaimTemplate")
        if template:
            default_claim_spec(section(template, "spec"))


def _default_projected(projected: Obj) -> None:
    fill(projected, defaultMode=_MODE)
    for source in objects(projected, "sources"):
        if isinstance(source.get("serviceAccountToken"), dict):
            fill(source["serviceAccountToken"], expirationSeconds=3600)
        for item in objects(mapping(source, "downwardAPI"), "items"):
            default_field_reference(item)


def default_claim_spec(spec: Obj) -> None:
    """The spec of a PersistentVolumeClaim, also where it is a template."""
    fill(spec, volumeMode="Filesystem")
    canonical_quantities(mapping(spec, "resources"), "limits", "requests")
