from __future__ import annotations

from lateen.api.kinds import MESH_KINDS
from lateen.istiod.kinds import watched_kinds


def test_all_of_the_mesh_and_no_more_of_others_than_is_needed() -> None:
    found = {kind.name.kind: kind for kind in watched_kinds("istio-system", "canary")}
    assert found.keys() >= {kind.kind for kind in MESH_KINDS}
    assert found.keys() >= {"Service", "Pod", "Node", "Namespace", "EndpointSlice", "Secret"}
    settings = found["ConfigMap"]
    assert (settings.namespace, settings.field_selector) == ("istio-system", "metadata.name=istio-canary")
    assert "helm.sh" in found["Secret"].field_selector
    assert not found["Pod"].field_selector


def test_the_best_version_comes_first() -> None:
    found = {kind.name.kind: kind.versions for kind in watched_kinds("istio-system", "default")}
    assert found["VirtualService"] == ("v1", "v1beta1", "v1alpha3")
