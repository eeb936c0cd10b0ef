"""The ClusterRoles, Roles and bindings that every cluster has from its start.

Source: kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy, v1.33; the controllers' role has what our own
controllers need, all under one identity.
"""

from __future__ import annotations

from collections.abc import Sequence

from lateen.cluster.objects import Obj

RBAC_GROUP = "rbac.authorization.k8s.io"
AGGREGATE = f"{RBAC_GROUP}/aggregate-to-"

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_CERTIFICATES = "certificates.k8s.io"
_SIGNERS = ("kube-apiserver-client-kubelet", "kube-apiserver-client", "kubelet-serving", "legacy-unknown")
_AUTHENTICATED, _UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"


def _rule(verbs: Sequence[str], groups: str, *resources: str, names: Sequence[str] = ()) -> Obj:
    """`groups` is comma-separated; the core group is the empty one."""
    rule: Obj = {"verbs": list(verbs), "apiGroups": groups.split(","), "resources": list(resources)}
    return {**rule, "resourceNames": list(names)} if names else rule


def _urls(*urls: str) -> Obj:
    return {"verbs": ["get"], "nonResourceURLs": list(urls)}


_EVENTS = _rule(("create", "patch", "update"), ",events.k8s.io", "events")
_REVIEW_TOKENS = _rule(("create",), "authentication.k8s.io", "tokenreviews")
_REVIEW_ACCESS = _rule(("create",), "authorization.k8s.io", "subjectaccessreviews")

NODE_RULES: list[Obj] = [
    _REVIEW_TOKENS,
    _rule(("create",), "authorization.k8s.io", "localsubjectaccessreviews", "subjectaccessreviews"),
    _rule(_READ, "", "services", "endpoints", "namespaces"),
    _rule(_READ, "discovery.k8s.io", "endpointslices"),
    _rule(("create", *_READ), "", "nodes"),
    _rule(("patch", "update"), "", "nodes", "nodes/status"),
    _EVENTS,
    _rule(("create", "delete", *_READ), "", "pods"),
    _rule(("patch", "update"), "", "pods/status"),
    _rule(("create",), "", "pods/eviction"),
    _rule(_READ, "", "secrets", "configmaps"),
    _rule(("get",), "", "persistentvolumeclaims", "persistentvolumes"),
    _rule(("create", *_READ), _CERTIFICATES, "certificatesigningrequests"),
    _rule(("create", "delete", "get", "patch", "update"), "coordination.k8s.io", "leases"),
    _rule(("get",), "storage.k8s.io", "volumeattachments"),
    _rule(_READ, "storage.k8s.io", "csidrivers"),
    _rule(("create", "delete", "get", "patch", "update"), "storage.k8s.io", "csinodes"),
    _rule(("create",), "", "serviceaccounts/token"),
    _rule(("get",), "", "serviceaccounts"),
    _rule(_READ, "node.k8s.io", "runtimeclasses"),
]
"""Besides Kubernetes' own, reading EndpointSlices and Namespaces: our node is its own service proxy."""

_CONTROLLERS = [
    _EVENTS,
    # Informers, the garbage collector and the namespace controller meet every kind there is.
    _rule(("delete", "deletecollection", *_READ), "*", "*"),
    _rule(("patch", "update"), "*", "*"),
    _rule(("create",), "", "configmaps", "endpoints", "persistentvolumeclaims", "pods", "serviceaccounts"),
    _rule(("create",), "", "persistentvolumes"),
    _rule(("create",), "storage.k8s.io", "storageclasses"),
    _rule(("create",), "", "pods/binding", "pods/eviction", "bindings", "serviceaccounts/token", "namespaces/finalize"),
    _rule(("create",), "apps", "controllerrevisions", "replicasets"),
    _rule(("create",), "batch", "jobs"),
    _rule(("create",), "discovery.k8s.io", "endpointslices"),
    _rule(("create",), "coordination.k8s.io", "leases"),
    _REVIEW_TOKENS,
    _REVIEW_ACCESS,
    _urls("*"),
]

_WORKLOADS = {
    "": (
        "configmaps",
        "endpoints",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "replicationcontrollers/scale",
        "serviceaccounts",
        "services",
    ),
    "apps": (
        "daemonsets",
        "deployments",
        "deployments/scale",
        "replicasets",
        "replicasets/scale",
        "statefulsets",
        "statefulsets/scale",
    ),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
}
"""What a namespace's editors write and its viewers read, by group."""

_STATUSES = {
    "": ("persistentvolumeclaims/status", "services/status"),
    "apps": ("daemonsets/status", "deployments/status", "replicasets/status", "statefulsets/status"),
    "autoscaling": ("horizontalpodautoscalers/status",),
    "batch": ("cronjobs/status", "jobs/status"),
    "networking.k8s.io": ("ingresses/status",),
    "policy": ("poddisruptionbudgets/status",),
}

_TO_ADMIN = [
    _rule(("create",), "authorization.k8s.io", "localsubjectaccessreviews"),
    _rule((*_READ, *_WRITE), RBAC_GROUP, "roles", "rolebindings"),
]
_INTO_PODS = ("pods/attach", "pods/exec", "pods/portforward", "pods/proxy")
_TO_EDIT = [
    _rule(_READ, "", *_INTO_PODS, "secrets", "services/proxy"),
    _rule(("impersonate",), "", "serviceaccounts"),
    _rule(_WRITE, "", "pods", *_INTO_PODS),
    _rule(("create",), "", "pods/eviction"),
    _rule(_WRITE, "", "events", "secrets", "services/proxy"),
    _rule(("create",), "", "serviceaccounts/token"),
    *(_rule(_WRITE, group, *resources) for group, resources in _WORKLOADS.items()),
    _rule((*_READ, *_WRITE), "coordination.k8s.io", "leases"),
]
_TO_VIEW = [
    *(_rule(_READ, group, *resources, *_STATUSES[group]) for group, resources in _WORKLOADS.items()),
    _rule(_READ, "", "pods", "pods/log", "pods/status", "namespaces", "namespaces/status"),
    _rule(_READ, "", "bindings", "events", "limitranges", "replicationcontrollers/status"),
    _rule(_READ, "", "resourcequotas", "resourcequotas/status"),
    _rule(_READ, "apps", "controllerrevisions"),
    _rule(_READ, "discovery.k8s.io", "endpointslices"),
]

_SERVER_HEALTH = ("/healthz", "/livez", "/readyz", "/version", "/version/")

_RULES: dict[str, list[Obj]] = {
    "cluster-admin": [_rule(("*",), "*", "*"), {"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "system:discovery": [_urls("/api", "/api/*", "/apis", "/apis/*", *_SERVER_HEALTH, "/openapi", "/openapi/*")],
    "system:public-info-viewer": [_urls(*_SERVER_HEALTH)],
    "system:monitoring": [_urls("/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/readyz", "/readyz/*")],
    "system:basic-user": [
        _rule(("create",), "authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
        _rule(("create",), "authentication.k8s.io", "selfsubjectreviews"),
    ],
    "system:aggregate-to-admin": _TO_ADMIN,
    "system:aggregate-to-edit": _TO_EDIT,
    "system:aggregate-to-view": _TO_VIEW,
    "system:auth-delegator": [_REVIEW_TOKENS, _REVIEW_ACCESS],
    "system:node": NODE_RULES,
    "system:node-proxier": [
        _rule(("list", "watch"), "", "services", "endpoints"),
        _rule(_READ, "", "nodes"),
        _EVENTS,
        _rule(("list", "watch"), "discovery.k8s.io", "endpointslices"),
    ],
    "system:node-bootstrapper": [_rule(("create", *_READ), _CERTIFICATES, "certificatesigningrequests")],
    "system:kubelet-api-admin": [
        _rule(_READ, "", "nodes"),
        _rule(("proxy",), "", "nodes"),
        _rule(("*",), "", "nodes/log", "nodes/metrics", "nodes/proxy", "nodes/stats"),
    ],
    "system:kube-controller-manager": _CONTROLLERS,
    "system:cloud-controller-manager": [
        _EVENTS,
        _rule(_READ, "", "nodes", "services", "endpoints"),
        _rule(_READ, "discovery.k8s.io", "endpointslices"),
        _rule(("patch", "update"), "", "services", "services/status"),
    ],
    "system:kube-scheduler": [
        _EVENTS,
        _rule(_READ, "", "nodes", "namespaces", "persistentvolumeclaims", "persistentvolumes"),
        _rule(("delete", *_READ), "", "pods"),
        _rule(("create",), "", "bindings", "pods/binding"),
        _rule(("patch", "update"), "", "pods/status"),
    ],
    "system:kube-dns": [
        _rule(("list", "watch"), "", "endpoints", "services"),
    ],
    "system:coredns": [
        _rule(("list", "watch"), "", "endpoints", "namespaces", "pods", "services"),
        _rule(("list", "watch"), "discovery.k8s.io", "endpointslices"),
    ],
    "system:service-account-issuer-discovery": [
        _urls(
            "/.well-known/openid-configuration",
            "/.well-known/openid-configuration/",
            "/openid/v1/jwks",
            "/openid/v1/jwks/",
        )
    ],
    **{
        f"system:{_CERTIFICATES}:certificatesigningrequests:{kind}": [
            _rule(("create",), _CERTIFICATES, f"certificatesigningrequests/{kind}")
        ]
        for kind in ("nodeclient", "selfnodeclient")
    },
    **{
        f"system:{_CERTIFICATES}:{signer}-approver": [
            _rule(("approve",), _CERTIFICATES, "signers", names=[f"kubernetes.io/{signer}"])
        ]
        for signer in _SIGNERS
    },
}

_GROUP_BINDINGS: dict[str, tuple[str, ...]] = {
    "cluster-admin": ("system:masters",),
    "system:basic-user": (_AUTHENTICATED,),
    "system:discovery": (_AUTHENTICATED,),
    "system:monitoring": ("system:monitoring",),
    "system:public-info-viewer": (_AUTHENTICATED, _UNAUTHENTICATED),
    "system:service-account-issuer-discovery": ("system:serviceaccounts",),
    # As kubeadm does: nodes may renew their own client certificates.
    f"system:{_CERTIFICATES}:certificatesigningrequests:selfnodeclient": ("system:nodes",),
}
_USER_BINDINGS = {
    "system:kube-controller-manager": "system:kube-controller-manager",
    "system:cloud-controller-manager": "system:cloud-controller-manager",
    "system:kube-scheduler": "system:kube-scheduler",
    "system:node-proxier": "system:kube-proxy",
}


def cluster_roles() -> list[Obj]:
    """Aggregated roles come with the rules that their parts have now."""
    roles = [_role(name, rules) for name, rules in _RULES.items()]
    for role in roles:
        for target in ("admin", "edit", "view"):
            if role["metadata"]["name"] == f"system:aggregate-to-{target}":
                role["metadata"]["labels"][f"{AGGREGATE}{target}"] = "true"
    view, edit = _aggregated("view", _TO_VIEW), _aggregated("edit", [*_TO_EDIT, *_TO_VIEW])
    view["metadata"]["labels"][f"{AGGREGATE}edit"] = "true"
    edit["metadata"]["labels"][f"{AGGREGATE}admin"] = "true"
    return [*roles, view, edit, _aggregated("admin", [*_TO_ADMIN, *_TO_EDIT, *_TO_VIEW])]


def cluster_role_bindings() -> list[Obj]:
    bindings = [
        _binding(role, [{"kind": "Group", "apiGroup": RBAC_GROUP, "name": group} for group in groups])
        for role, groups in _GROUP_BINDINGS.items()
    ]
    for role, user in _USER_BINDINGS.items():
        bindings.append(_binding(role, [{"kind": "User", "apiGroup": RBAC_GROUP, "name": user}]))
    kube_dns = {"kind": "ServiceAccount", "namespace": "kube-system", "name": "kube-dns"}
    return [*bindings, _binding("system:kube-dns", [kube_dns]), _binding("system:node", [])]


def _metadata(name: str) -> Obj:
    return {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {f"{RBAC_GROUP}/autoupdate": "true"},
    }


def _role(name: str, rules: Sequence[Obj]) -> Obj:
    return {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": _metadata(name),
        "rules": list(rules),
    }


def _aggregated(name: str, rules: Sequence[Obj]) -> Obj:
    rule = {"clusterRoleSelectors": [{"matchLabels": {f"{AGGREGATE}{name}": "true"}}]}
    return {**_role(name, rules), "aggregationRule": rule}


def _binding(role: str, subjects: Sequence[Obj]) -> Obj:
    binding = {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _metadata(role),
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": role},
    }
    return {**binding, "subjects": list(subjects)} if subjects else binding
