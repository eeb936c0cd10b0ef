"""What Kubernetes' API types say beyond their fields' names and kinds: formats, map values, list and patch semantics.

Sources: the Go types of k8s.io/api and their published OpenAPI (`x-kubernetes-*`, `format`). Keyed by module and
`Type.field`, or by `Type.field` or `.field` where it holds in every module.
"""

from __future__ import annotations

from typing import Final, NamedTuple

GROUPS: Final = {
    "core_v1": ("", "v1"),
    "apps_v1": ("apps", "v1"),
    "batch_v1": ("batch", "v1"),
    "autoscaling_v1": ("autoscaling", "v1"),
    "autoscaling_v2": ("autoscaling", "v2"),
    "policy_v1": ("policy", "v1"),
    "networking_v1": ("networking.k8s.io", "v1"),
    "discovery_v1": ("discovery.k8s.io", "v1"),
    "rbac_v1": ("rbac.authorization.k8s.io", "v1"),
    "admissionregistration_v1": ("admissionregistration.k8s.io", "v1"),
    "apiextensions_v1": ("apiextensions.k8s.io", "v1"),
    "apiregistration_v1": ("apiregistration.k8s.io", "v1"),
    "authentication_v1": ("authentication.k8s.io", "v1"),
    "authorization_v1": ("authorization.k8s.io", "v1"),
    "certificates_v1": ("certificates.k8s.io", "v1"),
    "coordination_v1": ("coordination.k8s.io", "v1"),
    "events_v1": ("events.k8s.io", "v1"),
    "node_v1": ("node.k8s.io", "v1"),
    "scheduling_v1": ("scheduling.k8s.io", "v1"),
    "storage_v1": ("storage.k8s.io", "v1"),
    "meta_v1": ("meta", "v1"),
}
"""The modules we read, with the API group and version whose kinds they define (`meta` is not a served group)."""

_PREFIXES: Final = {
    "meta_v1": "io.k8s.apimachinery.pkg.apis.meta.v1",
    "apiextensions_v1": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "apiregistration_v1": "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
}


def definition_prefix(module: str) -> str:
    """`core_v1` -> `io.k8s.api.core.v1`: what the names of a module's OpenAPI definitions begin with."""
    return _PREFIXES.get(module) or f"io.k8s.api.{module.replace('_', '.')}"


INT64: Final = frozenset(
    [
        ".observedGeneration",
        ".generation",
        ".terminationGracePeriodSeconds",
        ".activeDeadlineSeconds",
        ".runAsUser",
        ".runAsGroup",
        ".fsGroup",
        ".supplementalGroups",
        ".tolerationSeconds",
        ".sizeBytes",
        ".startingDeadlineSeconds",
        ".maxItems",
        ".minItems",
        ".maxLength",
        ".minLength",
        ".maxProperties",
        ".minProperties",
        ".deletionGracePeriodSeconds",
        ".gracePeriodSeconds",
        ".remainingItemCount",
        "ControllerRevision.revision",
        "TokenRequestSpec.expirationSeconds",
        "ServiceAccountTokenProjection.expirationSeconds",
        "TokenRequest.expirationSeconds",
        "SleepAction.seconds",
        "LinuxContainerUser.uid",
        "LinuxContainerUser.gid",
        "NodeSwapStatus.capacity",
        "CSIDriverSpec.nodeAllocatableUpdatePeriodSeconds",
    ]
)
"""Integers of 64 bits; all others have 32."""

BYTES: Final = frozenset(
    [".caBundle", "CertificateSigningRequestSpec.request", "CertificateSigningRequestStatus.certificate"]
)
"""Strings that carry base64."""

QUANTITY_MAPS: Final = frozenset(
    [
        "ContainerStatus.allocatedResources",
        "LimitRangeItem.default",
        "LimitRangeItem.defaultRequest",
        "LimitRangeItem.max",
        "LimitRangeItem.maxLimitRequestRatio",
        "LimitRangeItem.min",
        "NodeStatus.allocatable",
        "NodeStatus.capacity",
        "PersistentVolumeClaimStatus.allocatedResources",
        "PersistentVolumeClaimStatus.capacity",
        "PersistentVolumeSpec.capacity",
        "PodSpec.overhead",
        "ResourceQuotaSpec.hard",
        "ResourceQuotaStatus.hard",
        "ResourceQuotaStatus.used",
        "ResourceRequirements.limits",
        "ResourceRequirements.requests",
        "VolumeResourceRequirements.limits",
        "VolumeResourceRequirements.requests",
        "Overhead.podFixed",
    ]
)
BYTE_MAPS: Final = frozenset(("ConfigMap.binaryData", "Secret.data"))
STRING_LIST_MAPS: Final = frozenset((".extra",))
TIME_MAPS: Final = frozenset(("PodDisruptionBudgetStatus.disruptedPods",))
SCHEMA_MAPS: Final = frozenset(
    ("JSONSchemaProps.definitions", "JSONSchemaProps.patternProperties", "JSONSchemaProps.properties")
)
ANY_MAPS: Final = frozenset(("JSONSchemaProps.dependencies",))


class ListFacts(NamedTuple):
    """How the elements of a list are told apart: by server-side apply, and by strategic merge patch."""

    list_type: str = ""
    keys: tuple[str, ...] = ()
    patch_strategy: tuple[str, ...] = ()
    patch_merge_key: str = ""


def _merged(key: str, *more_keys: str, strategy: tuple[str, ...] = ("merge",)) -> ListFacts:
    return ListFacts("map", (key, *more_keys), strategy, key)


def _keyed(*keys: str) -> ListFacts:
    return ListFacts("map", keys)


_BY_NAME: Final = _merged("name")
_BY_TYPE: Final = _merged("type")
_SET: Final = ListFacts("set")
_RETAIN: Final = ("merge", "retainKeys")

LISTS: Final = {
    "ObjectMeta.ownerReferences": _merged("uid"),
    "ObjectMeta.finalizers": ListFacts("set", (), ("merge",)),
    "PodSpec.containers": _BY_NAME,
    "PodSpec.initContainers": _BY_NAME,
    "PodSpec.ephemeralContainers": _BY_NAME,
    "PodSpec.volumes": _merged("name", strategy=_RETAIN),
    "PodSpec.resourceClaims": _merged("name", strategy=_RETAIN),
    "PodSpec.imagePullSecrets": _BY_NAME,
    "PodSpec.hostAliases": _merged("ip"),
    "PodSpec.schedulingGates": _BY_NAME,
    "PodSpec.topologySpreadConstraints": _merged("topologyKey", "whenUnsatisfiable"),
    "PodStatus.conditions": _BY_TYPE,
    "PodStatus.hostIPs": ListFacts("atomic", (), ("merge",), "ip"),
    "PodStatus.podIPs": _merged("ip"),
    "PodStatus.resourceClaimStatuses": _merged("name", strategy=_RETAIN),
    "Container.ports": _merged("containerPort", "protocol"),
    "Container.env": _BY_NAME,
    "Container.volumeMounts": _merged("mountPath"),
    "Container.volumeDevices": _merged("devicePath"),
    "EphemeralContainer.ports": _merged("containerPort", "protocol"),
    "EphemeralContainer.env": _BY_NAME,
    "EphemeralContainer.volumeMounts": _merged("mountPath"),
    "EphemeralContainer.volumeDevices": _merged("devicePath"),
    "ContainerStatus.volumeMounts": _merged("mountPath"),
    "ContainerStatus.allocatedResourcesStatus": _BY_NAME,
    "ResourceStatus.resources": _keyed("resourceID"),
    "ResourceRequirements.claims": _keyed("name"),
    "ServiceSpec.ports": _merged("port", "protocol"),
    "ServiceStatus.conditions": _BY_TYPE,
    "ServiceAccount.secrets": _BY_NAME,
    "NamespaceStatus.conditions": _BY_TYPE,
    "NodeSpec.podCIDRs": ListFacts("set", (), ("merge",)),
    "NodeStatus.conditions": _BY_TYPE,
    "NodeStatus.addresses": _BY_TYPE,
    "PersistentVolumeClaimStatus.conditions": _BY_TYPE,
    "ReplicationControllerStatus.conditions": _BY_TYPE,
    "ComponentStatus.conditions": _BY_TYPE,
    "DaemonSetStatus.conditions": _BY_TYPE,
    "DeploymentStatus.conditions": _BY_TYPE,
    "ReplicaSetStatus.conditions": _BY_TYPE,
    "StatefulSetStatus.conditions": _BY_TYPE,
    "JobStatus.conditions": ListFacts("atomic", (), ("merge",), "type"),
    "UncountedTerminatedPods.failed": _SET,
    "UncountedTerminatedPods.succeeded": _SET,
    "PodFailurePolicyOnExitCodesRequirement.values": _SET,
    "HorizontalPodAutoscalerStatus.conditions": _BY_TYPE,
    "PodDisruptionBudgetStatus.conditions": _BY_TYPE,
    "ServiceCIDRStatus.conditions": _BY_TYPE,
    "APIServiceStatus.conditions": _BY_TYPE,
    "CertificateSigningRequestStatus.conditions": _keyed("type"),
    "ValidatingAdmissionPolicyStatus.conditions": _keyed("type"),
    "CustomResourceDefinitionStatus.conditions": _keyed("type"),
    "JSONSchemaProps.x-kubernetes-validations": _merged("rule"),
    "Endpoint.addresses": _SET,
    "MutatingWebhookConfiguration.webhooks": _BY_NAME,
    "ValidatingWebhookConfiguration.webhooks": _BY_NAME,
    "MutatingWebhook.matchConditions": _BY_NAME,
    "ValidatingWebhook.matchConditions": _BY_NAME,
    "ValidatingAdmissionPolicySpec.matchConditions": _BY_NAME,
    "ValidatingAdmissionPolicySpec.variables": _BY_NAME,
    "ValidatingAdmissionPolicyBindingSpec.validationActions": _SET,
    "CSINodeSpec.drivers": _BY_NAME,
    "CSIDriverSpec.volumeLifecycleModes": _SET,
}
"""Lists that are not atomic (or have a patch strategy); every other list is replaced as a whole."""

MERGE_KEY_DEFAULTS = {"ContainerPort.protocol": "TCP", "ServicePort.protocol": "TCP"}
"""Fields that name a list's items and have a default: server-side apply completes keys with it."""

OBJECT_PATCH_STRATEGIES: Final = {
    "DeploymentSpec.strategy": ("retainKeys",),
    "PodDisruptionBudgetSpec.selector": ("replace",),
}

ATOMIC_TYPES: Final = frozenset(
    [
        "meta_v1.LabelSelector",
        "meta_v1.OwnerReference",
        "core_v1.ObjectReference",
        "core_v1.LocalObjectReference",
        "core_v1.TypedLocalObjectReference",
        "core_v1.SecretReference",
        "core_v1.SecretKeySelector",
        "core_v1.ConfigMapKeySelector",
        "core_v1.ObjectFieldSelector",
        "core_v1.ResourceFieldSelector",
        "core_v1.NodeSelector",
        "core_v1.NodeSelectorTerm",
        "core_v1.TopologySelectorTerm",
        "core_v1.ScopeSelector",
        "core_v1.ScopedResourceSelectorRequirement",
        "core_v1.EndpointAddress",
        "core_v1.EndpointPort",
        "discovery_v1.EndpointPort",
        "autoscaling_v1.CrossVersionObjectReference",
        "batch_v1.UncountedTerminatedPods",
        "rbac_v1.RoleRef",
        "rbac_v1.Subject",
        "admissionregistration_v1.MatchResources",
        "admissionregistration_v1.ParamKind",
        "admissionregistration_v1.ParamRef",
        "admissionregistration_v1.Variable",
        "admissionregistration_v1.NamedRuleWithOperations",
    ]
)
"""Types that server-side apply treats as one value."""

ATOMIC_FIELDS: Final = frozenset(
    ("PodSpec.nodeSelector", "ServiceSpec.selector", "ReplicationControllerSpec.selector", "Scheduling.nodeSelector")
)
"""Maps that server-side apply treats as one value."""

GRANULAR_FIELDS: Final = frozenset(("PersistentVolumeSpec.claimRef",))
"""Fields of an atomic type that are merged all the same."""
