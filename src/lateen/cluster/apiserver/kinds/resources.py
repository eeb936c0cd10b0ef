"""Every built-in resource as discovery describes it: names, scope, verbs, subresources.

Source: the API resource lists of Kubernetes v1.33. Groups are in the order `/apis` lists them there, because
kubectl resolves an ambiguous name (`events`) to the first group that has it.
"""

from __future__ import annotations

from lateen.cluster.apiserver.resource import ALL_VERBS, Resource, Subresource
from lateen.cluster.objects import GVK, GVR, split_api_version

_CHANGE = ("get", "patch", "update")
_CREATE = ("create",)
_PROXY = ("create", "delete", "get", "patch", "update")
_NO_COLLECTION_DELETE = tuple(verb for verb in ALL_VERBS if verb != "deletecollection")

_SCALE = Subresource("scale", GVK("autoscaling", "v1", "Scale"), _CHANGE)


def _resource(
    api_version: str,
    kind: str,
    plural: str,
    *short_names: str,
    namespaced: bool = True,
    status: bool = False,
    subresources: tuple[Subresource, ...] = (),
    categories: tuple[str, ...] = (),
    verbs: tuple[str, ...] = ALL_VERBS,
    storage_version: str = "",
) -> Resource:
    group, version = split_api_version(api_version)
    if status:
        subresources = (*subresources, Subresource("status", GVK(group, version, kind), _CHANGE))
    return Resource(
        gvr=GVR(group, version, plural),
        kind=kind,
        singular=kind.lower(),
        namespaced=namespaced,
        list_kind=kind + "List",
        storage_version=storage_version or version,
        verbs=verbs,
        short_names=short_names,
        categories=categories,
        subresources=tuple(sorted(subresources, key=lambda subresource: subresource.name)),
    )


def _sub(name: str, api_version: str, kind: str, verbs: tuple[str, ...]) -> Subresource:
    group, version = split_api_version(api_version)
    return Subresource(name, GVK(group, version, kind), verbs)


_ALL = ("all",)

_POD_SUBRESOURCES = (
    _sub("attach", "v1", "PodAttachOptions", ("create", "get")),
    _sub("binding", "v1", "Binding", _CREATE),
    _sub("ephemeralcontainers", "v1", "Pod", _CHANGE),
    _sub("eviction", "policy/v1", "Eviction", _CREATE),
    _sub("exec", "v1", "PodExecOptions", ("create", "get")),
    _sub("log", "v1", "Pod", ("get",)),
    _sub("portforward", "v1", "PodPortForwardOptions", ("create", "get")),
    _sub("proxy", "v1", "PodProxyOptions", _PROXY),
)

CORE = (
    _resource("v1", "Binding", "bindings", verbs=_CREATE),
    _resource("v1", "ConfigMap", "configmaps", "cm"),
    _resource("v1", "Endpoints", "endpoints", "ep"),
    _resource("v1", "Event", "events", "ev"),
    _resource("v1", "LimitRange", "limitranges", "limits"),
    _resource(
        "v1",
        "Namespace",
        "namespaces",
        "ns",
        namespaced=False,
        status=True,
        verbs=_NO_COLLECTION_DELETE,
        subresources=(_sub("finalize", "v1", "Namespace", ("update",)),),
    ),
    _resource(
        "v1",
        "Node",
        "nodes",
        "no",
        namespaced=False,
        status=True,
        subresources=(_sub("proxy", "v1", "NodeProxyOptions", _PROXY),),
    ),
    _resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", status=True),
    _resource("v1", "PersistentVolume", "persistentvolumes", "pv", namespaced=False, status=True),
    _resource("v1", "Pod", "pods", "po", status=True, categories=_ALL, subresources=_POD_SUBRESOURCES),
    _resource("v1", "PodTemplate", "podtemplates"),
    _resource(
        "v1",
        "ReplicationController",
        "replicationcontrollers",
        "rc",
        status=True,
        categories=_ALL,
        subresources=(_SCALE,),
    ),
    _resource("v1", "ResourceQuota", "resourcequotas", "quota", status=True),
    _resource("v1", "Secret", "secrets"),
    _resource(
        "v1",
        "ServiceAccount",
        "serviceaccounts",
        "sa",
        subresources=(_sub("token", "authentication.k8s.io/v1", "TokenRequest", _CREATE),),
    ),
    _resource(
        "v1",
        "Service",
        "services",
        "svc",
        status=True,
        categories=_ALL,
        subresources=(_sub("proxy", "v1", "ServiceProxyOptions", _PROXY),),
    ),
)

APPS = (
    _resource("apps/v1", "ControllerRevision", "controllerrevisions"),
    _resource("apps/v1", "DaemonSet", "daemonsets", "ds", status=True, categories=_ALL),
    _resource("apps/v1", "Deployment", "deployments", "deploy", status=True, categories=_ALL, subresources=(_SCALE,)),
    _resource("apps/v1", "ReplicaSet", "replicasets", "rs", status=True, categories=_ALL, subresources=(_SCALE,)),
    _resource("apps/v1", "StatefulSet", "statefulsets", "sts", status=True, categories=_ALL, subresources=(_SCALE,)),
)

EVENTS = (_resource("events.k8s.io/v1", "Event", "events", "ev"),)

AUTHENTICATION = (
    _resource("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False, verbs=_CREATE),
    _resource("authentication.k8s.io/v1", "TokenReview", "tokenreviews", namespaced=False, verbs=_CREATE),
)

_AUTHORIZATION = "authorization.k8s.io/v1"
AUTHORIZATION = (
    _resource(_AUTHORIZATION, "LocalSubjectAccessReview", "localsubjectaccessreviews", verbs=_CREATE),
    _resource(_AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False, verbs=_CREATE),
    _resource(_AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews", namespaced=False, verbs=_CREATE),
    _resource(_AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews", namespaced=False, verbs=_CREATE),
)

_HPA = ("HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa")
AUTOSCALING = (
    _resource("autoscaling/v2", *_HPA, status=True, categories=_ALL, storage_version="v2"),
    _resource("autoscaling/v1", *_HPA, status=True, categories=_ALL, storage_version="v2"),
)

BATCH = (
    _resource("batch/v1", "CronJob", "cronjobs", "cj", status=True, categories=_ALL),
    _resource("batch/v1", "Job", "jobs", status=True, categories=_ALL),
)

_CERTIFICATES = "certificates.k8s.io/v1"
CERTIFICATES = (
    _resource(
        _CERTIFICATES,
        "CertificateSigningRequest",
        "certificatesigningrequests",
        "csr",
        namespaced=False,
        status=True,
        subresources=(_sub("approval", _CERTIFICATES, "CertificateSigningRequest", _CHANGE),),
    ),
)

_NETWORKING = "networking.k8s.io/v1"
NETWORKING = (
    _resource(_NETWORKING, "IngressClass", "ingressclasses", namespaced=False),
    _resource(_NETWORKING, "Ingress", "ingresses", "ing", status=True),
    _resource(_NETWORKING, "IPAddress", "ipaddresses", "ip", namespaced=False),
    _resource(_NETWORKING, "NetworkPolicy", "networkpolicies", "netpol"),
    _resource(_NETWORKING, "ServiceCIDR", "servicecidrs", namespaced=False, status=True),
)

POLICY = (_resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", status=True),)

_RBAC = "rbac.authorization.k8s.io/v1"
RBAC = (
    _resource(_RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    _resource(_RBAC, "ClusterRole", "clusterroles", namespaced=False),
    _resource(_RBAC, "RoleBinding", "rolebindings"),
    _resource(_RBAC, "Role", "roles"),
)

_STORAGE = "storage.k8s.io/v1"
STORAGE = (
    _resource(_STORAGE, "CSIDriver", "csidrivers", namespaced=False),
    _resource(_STORAGE, "CSINode", "csinodes", namespaced=False),
    _resource(_STORAGE, "CSIStorageCapacity", "csistoragecapacities"),
    _resource(_STORAGE, "StorageClass", "storageclasses", "sc", namespaced=False),
    _resource(_STORAGE, "VolumeAttachment", "volumeattachments", namespaced=False, status=True),
)

_ADMISSION = "admissionregistration.k8s.io/v1"
ADMISSIONREGISTRATION = (
    _resource(_ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", namespaced=False),
    _resource(_ADMISSION, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False, status=True),
    _resource(
        _ADMISSION,
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        namespaced=False,
    ),
    _resource(_ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", namespaced=False),
)

APIEXTENSIONS = (
    _resource(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        *("crd", "crds"),
        namespaced=False,
        status=True,
        categories=("api-extensions",),
    ),
)

SCHEDULING = (_resource("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", "pc", namespaced=False),)

COORDINATION = (_resource("coordination.k8s.io/v1", "Lease", "leases"),)

NODE = (_resource("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", namespaced=False),)

DISCOVERY = (_resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),)

RESOURCES: tuple[Resource, ...] = (
    *CORE,
    *APPS,
    *EVENTS,
    *AUTHENTICATION,
    *AUTHORIZATION,
    *AUTOSCALING,
    *BATCH,
    *CERTIFICATES,
    *NETWORKING,
    *POLICY,
    *RBAC,
    *STORAGE,
    *ADMISSIONREGISTRATION,
    *APIEXTENSIONS,
    *SCHEDULING,
    *COORDINATION,
    *NODE,
    *DISCOVERY,
)
"""A group's preferred version comes first."""
