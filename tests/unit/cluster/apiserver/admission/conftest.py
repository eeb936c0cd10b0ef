from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from lateen.cluster.apiserver.admission.attributes import Attributes
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.resource import Resource
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import GVR

ANYTHING = Schema(type="object", preserve_unknown=True)
USER = User("jane", groups=("dev", "system:authenticated"))


def kind(group: str, version: str, plural: str, name: str, *, namespaced: bool = True, storage: str = "") -> Kind:
    gvr = GVR(group, version, plural)
    resource = Resource(gvr, name, name.lower(), namespaced, f"{name}List", storage or version)
    return Kind(resource, ANYTHING)


PODS = kind("", "v1", "pods", "Pod")
NAMESPACES = kind("", "v1", "namespaces", "Namespace", namespaced=False)
WIDGETS = kind("acme.com", "v1", "widgets", "Widget")
CONFIGURATIONS = kind(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
CSRS = kind("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", namespaced=False)
OLD_WIDGETS = kind("acme.com", "v1beta1", "widgets", "Widget", storage="v1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "state.db")
    await opened.create(("", "namespaces"), {"metadata": {"name": "ns", "labels": {"team": "blue"}}})
    yield opened
    await opened.close()


@pytest.fixture
def registry() -> Registry:
    return Registry([PODS, NAMESPACES, WIDGETS, OLD_WIDGETS])


def attributes(
    operation: str = "CREATE",
    of: Kind = PODS,
    obj: dict[str, Any] | None = None,
    old: dict[str, Any] | None = None,
    *,
    namespace: str = "ns",
    name: str = "",
    subresource: str = "",
    user: User = USER,
    dry_run: bool = False,
) -> Attributes:
    gvr = of.resource.gvr
    if obj is None and operation in ("CREATE", "UPDATE"):
        obj = {"metadata": {"name": "p", "namespace": namespace}, "spec": {"containers": [{"name": "c"}]}}
    if obj is not None:
        obj = {"apiVersion": gvr.group_version, "kind": of.resource.kind, **obj}
    info = RequestInfo("", operation.lower(), *gvr, namespace, name, subresource)
    return Attributes(operation, obj, old, Context(user, info, dry_run=dry_run), of)


@pytest.fixture
def make() -> Callable[..., Attributes]:
    return attributes


@pytest.fixture
def kinds() -> dict[str, Kind]:
    return {
        "pods": PODS,
        "namespaces": NAMESPACES,
        "widgets": WIDGETS,
        "oldwidgets": OLD_WIDGETS,
        "configurations": CONFIGURATIONS,
        "csrs": CSRS,
    }
