"""The built-in kinds, ready for the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.kinds.admissionregistration.admission_policy import (
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)
from lateen.cluster.apiserver.kinds.admissionregistration.webhook_configuration import (
    MutatingWebhookConfiguration,
    ValidatingWebhookConfiguration,
)
from lateen.cluster.apiserver.kinds.apps.controller_revision import ControllerRevision
from lateen.cluster.apiserver.kinds.apps.daemon_set import DaemonSet
from lateen.cluster.apiserver.kinds.apps.deployment import Deployment
from lateen.cluster.apiserver.kinds.apps.replica_set import ReplicaSet, ReplicationController
from lateen.cluster.apiserver.kinds.apps.stateful_set import StatefulSet
from lateen.cluster.apiserver.kinds.autoscaling.horizontal_pod_autoscaler import (
    HorizontalPodAutoscalerV1,
    HorizontalPodAutoscalerV2,
)
from lateen.cluster.apiserver.kinds.batch.cron_job import CronJob
from lateen.cluster.apiserver.kinds.batch.job import Job
from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.certificates.certificate_signing_request import CertificateSigningRequest
from lateen.cluster.apiserver.kinds.coordination.lease import Lease
from lateen.cluster.apiserver.kinds.core.config_map import ConfigMap
from lateen.cluster.apiserver.kinds.core.endpoints import Endpoints
from lateen.cluster.apiserver.kinds.core.event import CoreEvent, Event
from lateen.cluster.apiserver.kinds.core.namespace import Namespace
from lateen.cluster.apiserver.kinds.core.node import Node
from lateen.cluster.apiserver.kinds.core.pod import Pod, PodTemplate
from lateen.cluster.apiserver.kinds.core.quota import LimitRange, ResourceQuota
from lateen.cluster.apiserver.kinds.core.secret import Secret
from lateen.cluster.apiserver.kinds.core.service import Service
from lateen.cluster.apiserver.kinds.core.service_account import ServiceAccount
from lateen.cluster.apiserver.kinds.core.volume_claim import PersistentVolume, PersistentVolumeClaim
from lateen.cluster.apiserver.kinds.discovery.endpoint_slice import EndpointSlice
from lateen.cluster.apiserver.kinds.networking.address_range import IPAddress, ServiceCIDR
from lateen.cluster.apiserver.kinds.networking.ingress import Ingress, IngressClass
from lateen.cluster.apiserver.kinds.networking.network_policy import NetworkPolicy
from lateen.cluster.apiserver.kinds.policy.pod_disruption_budget import PodDisruptionBudget
from lateen.cluster.apiserver.kinds.rbac.roles import Role, RoleBinding
from lateen.cluster.apiserver.kinds.resources import RESOURCES
from lateen.cluster.apiserver.kinds.scheduling.priority_class import PriorityClass
from lateen.cluster.apiserver.kinds.storage.storage_class import CSIDriver, CSINode, RuntimeClass, StorageClass
from lateen.cluster.apiserver.resource import Resource
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.layout import Layout
from lateen.cluster.objects import GVK, GVR


class Schemas(Protocol):
    """Where the schemas of built-in kinds come from (`schema.builtin.BuiltinSchemas`)."""

    def for_gvk(self, gvk: GVK, /) -> Schema: ...


_CORE: tuple[type[BuiltinKind], ...] = (
    ConfigMap,
    Endpoints,
    LimitRange,
    Namespace,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodTemplate,
    ReplicationController,
    ResourceQuota,
    Secret,
    ServiceAccount,
)
_CLASSES: Mapping[tuple[str, str], type[BuiltinKind]] = {
    **{("v1", kind.__name__): kind for kind in _CORE},
    ("v1", "Event"): CoreEvent,
    **{
        ("apps/v1", kind.__name__): kind
        for kind in (ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet)
    },
    ("autoscaling/v1", "HorizontalPodAutoscaler"): HorizontalPodAutoscalerV1,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): HorizontalPodAutoscalerV2,
    ("batch/v1", "CronJob"): CronJob,
    ("batch/v1", "Job"): Job,
    ("certificates.k8s.io/v1", "CertificateSigningRequest"): CertificateSigningRequest,
    ("coordination.k8s.io/v1", "Lease"): Lease,
    ("discovery.k8s.io/v1", "EndpointSlice"): EndpointSlice,
    ("events.k8s.io/v1", "Event"): Event,
    **{
        ("networking.k8s.io/v1", kind.__name__): kind
        for kind in (Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR)
    },
    ("node.k8s.io/v1", "RuntimeClass"): RuntimeClass,
    ("policy/v1", "PodDisruptionBudget"): PodDisruptionBudget,
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): Role,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): RoleBinding,
    ("rbac.authorization.k8s.io/v1", "Role"): Role,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): RoleBinding,
    ("scheduling.k8s.io/v1", "PriorityClass"): PriorityClass,
    **{("storage.k8s.io/v1", kind.__name__): kind for kind in (CSIDriver, CSINode, StorageClass)},
    **{
        ("admissionregistration.k8s.io/v1", kind.__name__): kind
        for kind in (
            MutatingWebhookConfiguration,
            ValidatingAdmissionPolicy,
            ValidatingAdmissionPolicyBinding,
            ValidatingWebhookConfiguration,
        )
    },
}
"""(apiVersion, kind) -> what implements it; all others are kept as they are."""


def builtin_kinds(schemas: Schemas, layout: Layout) -> list[Kind]:
    """One `Kind` per resource and version, preferred versions first."""
    return [_kind(resource, schemas.for_gvk(resource.gvk), layout) for resource in RESOURCES]


def _kind(resource: Resource, schema: Schema, layout: Layout) -> Kind:
    if resource.gvr == GVR("", "v1", "services"):
        return Service(resource, schema, layout)
    return _CLASSES.get((resource.gvk.api_version, resource.kind), BuiltinKind)(resource, schema)
