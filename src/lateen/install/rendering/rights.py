"""Rights in a cluster: how they are given, and those of the control plane, each with what uses it beside it."""

from __future__ import annotations

from typing import Any, Final

from lateen.api.kinds import MESH_KINDS
from lateen.model.tables import TABLES

_GROUP: Final = "rbac.authorization.k8s.io"
_READ: Final = ("get", "list", "watch")
ROOT_SECRET: Final = "istio-ca-secret"
ROOTS: Final = "istio-ca-root-cert"


def rule(groups: tuple[str, ...], resources: tuple[str, ...], verbs: tuple[str, ...], *names: str) -> dict[str, Any]:
    found = {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}
    return found | ({"resourceNames": list(names)} if names else {})


def role_and_binding(
    kind: str, metadata: dict[str, Any], rules: list[dict[str, Any]], account: str, namespace: str
) -> list[dict[str, Any]]:
    """A Role or ClusterRole (`kind`), and a binding of the same name that gives it to an account."""
    return [
        {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": metadata["name"]},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        },
    ]


def cluster_rules() -> list[dict[str, Any]]:
    """In all namespaces."""
    return [
        # The mesh as users describe it, and what it is made of.
        *_read_kinds(),
        # Which kinds are there.
        rule(("apiextensions.k8s.io",), ("customresourcedefinitions",), ("get",)),
        # What became of each resource.
        *_status_of_kinds(),
        # Roots of trust for every namespace.
        rule(("",), ("configmaps",), ("create",)),
        rule(("",), ("configmaps",), ("patch",), ROOTS),
        # Who asks for a certificate.
        rule(("authentication.k8s.io",), ("tokenreviews",), ("create",)),
        # Which gateways may have Secrets.
        rule(("authorization.k8s.io",), ("subjectaccessreviews",), ("create",)),
        # The authority's certificate in our own webhooks, and validation that fails closed once it works.
        rule(
            ("admissionregistration.k8s.io",),
            ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
            (*_READ, "patch"),
        ),
        # Why a pod was not injected.
        rule(("",), ("events",), ("create",)),
    ]


def namespace_rules() -> list[dict[str, Any]]:
    """In the control plane's own namespace."""
    return [
        # The authority's own root.
        rule(("",), ("secrets",), ("create",)),
        rule(("",), ("secrets",), ("update",), ROOT_SECRET),
        # Of several replicas, one writes.
        rule(("coordination.k8s.io",), ("leases",), ("get", "create", "update")),
        # Whether validation works: asked with a dry run.
        rule(("networking.istio.io",), ("gateways",), ("create",)),
    ]


def _read_kinds() -> list[dict[str, Any]]:
    groups: dict[str, list[str]] = {}
    for kind in TABLES:
        groups.setdefault(kind.group, []).append(kind.plural)
    return [rule((group,), tuple(sorted(plurals)), _READ) for group, plurals in groups.items()]


def _status_of_kinds() -> list[dict[str, Any]]:
    groups: dict[str, list[str]] = {}
    for kind in MESH_KINDS:
        groups.setdefault(kind.group, []).append(f"{kind.plural}/status")
    return [rule((group,), tuple(sorted(plurals)), ("patch",)) for group, plurals in groups.items()]
