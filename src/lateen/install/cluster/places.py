"""Where objects are in the Kubernetes API: every kind that an installation consists of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec


class Place(msgspec.Struct, frozen=True):
    """A kind's collection."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def root(self) -> str:
        prefix = "/apis" if "/" in self.api_version else "/api"
        return f"{prefix}/{self.api_version}"

    @property
    def path(self) -> str:
        """Of all its objects."""
        return f"{self.root}/{self.plural}"

    def object_path(self, namespace: str, name: str) -> str:
        middle = f"namespaces/{namespace}/" if self.namespaced else ""
        return f"{self.root}/{middle}{self.plural}/{name}"


_RBAC: Final = "rbac.authorization.k8s.io/v1"
_ADMISSION: Final = "admissionregistration.k8s.io/v1"

NAMESPACE: Final = Place("v1", "Namespace", "namespaces", False)
DEFINITION: Final = Place("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", False)
SERVICE_ACCOUNT: Final = Place("v1", "ServiceAccount", "serviceaccounts")
CLUSTER_ROLE: Final = Place(_RBAC, "ClusterRole", "clusterroles", False)
CLUSTER_ROLE_BINDING: Final = Place(_RBAC, "ClusterRoleBinding", "clusterrolebindings", False)
ROLE: Final = Place(_RBAC, "Role", "roles")
ROLE_BINDING: Final = Place(_RBAC, "RoleBinding", "rolebindings")
CONFIG_MAP: Final = Place("v1", "ConfigMap", "configmaps")
SERVICE: Final = Place("v1", "Service", "services")
DEPLOYMENT: Final = Place("apps/v1", "Deployment", "deployments")
BUDGET: Final = Place("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
AUTOSCALER: Final = Place("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
INJECTION: Final = Place(_ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", False)
VALIDATION: Final = Place(_ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", False)

STEPS: Final = (
    (DEFINITION,),
    (SERVICE_ACCOUNT, CLUSTER_ROLE, ROLE),
    (CLUSTER_ROLE_BINDING, ROLE_BINDING, CONFIG_MAP, SERVICE),
    (DEPLOYMENT, BUDGET, AUTOSCALER, INJECTION, VALIDATION),
)
"""In the order of application; what is in one step may be applied at the same time."""

OWNED: Final = tuple(place for step in STEPS[1:] for place in step)
"""What belongs to one revision."""

_BY_KIND: Final[Mapping[tuple[str, str], Place]] = {
    (place.api_version, place.kind): place for place in (NAMESPACE, DEFINITION, *OWNED)
}


def place_of(found: Mapping[str, Any]) -> Place:
    return _BY_KIND[found["apiVersion"], found["kind"]]


def path_of(found: Mapping[str, Any]) -> str:
    metadata = found["metadata"]
    return place_of(found).object_path(metadata.get("namespace", ""), metadata["name"])


def described(found: Mapping[str, Any]) -> str:
    """`Deployment istio-system/istiod`"""
    metadata = found["metadata"]
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{found['kind']} {namespace}{metadata['name']}"
