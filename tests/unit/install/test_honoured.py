"""A value that parses and does nothing is a defect: every one that the model has changes what is rendered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from lateen.api.mesh.parse import parse_mesh_config
from lateen.api.schema.shape import (
    Alternatives,
    Anything,
    Boolean,
    Choice,
    Entries,
    Items,
    MessageShape,
    Number,
    Shape,
    Text,
    shape_of,
)
from lateen.injection.configuration import parse_injection
from lateen.injection.decision import decide
from lateen.injection.inject import Facts, inject
from lateen.install.installation import resolve
from lateen.install.operator_file import OperatorFile
from lateen.install.rendering.mesh import mesh_config_text
from lateen.install.rendering.objects import render
from lateen.install.values.operator import Operator

_BASES: Final[tuple[dict[str, Any], ...]] = (
    {"profile": "demo"},
    {
        "profile": "default",
        "revision": "blue",
        "components": {"egressGateways": [{"name": "istio-egressgateway", "enabled": True}]},
        "values": {"pilot": {"resources": {"requests": {}}, "cni": {"enabled": True}}},
    },
)
"""Without and with autoscalers, without and with a CNI plugin and resources of istiod's own."""

_EXAMPLES: Final[dict[str, Any]] = {
    "profile": "minimal",
    "values.global.platform": "openshift",
    "values.global.mountMtlsCerts": None,
    "values.global.caName": None,
    "values.global.sts.servicePort": None,
    "values.global.jwtPolicy": None,
    "values.global.pilotCertProvider": None,
    "values.global.proxy.tracer": "zipkin",
    "values.global.multiCluster.includeEnvoyFilter": True,
    "values.global.proxy.includeIPRanges": "10.0.0.0/8",
    "values.global.proxy.excludeIPRanges": "10.0.0.0/8",
    "values.global.proxy.includeInboundPorts": "80",
    "values.global.proxy.excludeInboundPorts": "80",
    "values.global.proxy.includeOutboundPorts": "80",
    "values.global.proxy.excludeOutboundPorts": "80",
    "values.global.proxy.logLevel": "debug",
    "values.global.proxy.componentLogLevel": "upstream:debug",
    "values.global.logging.level": "default:debug",
    "values.global.meshNetworks": {"n": {"endpoints": [{"fromRegistry": "r"}]}},
    "values.defaultRevision": "other",
    "values.revision": "green",
    "values.sidecarInjectorWebhook.templates": {"x": "metadata: {}"},
    "values.sidecarInjectorWebhook.defaultTemplates": ["gateway"],
    "values.sidecarInjectorWebhook.neverInjectSelector": [{"matchLabels": {"a": "b"}}],
    "values.sidecarInjectorWebhook.alwaysInjectSelector": [{"matchLabels": {"a": "b"}}],
    "values.meshConfig": {"accessLogFormat": "x"},
    "meshConfig": {"accessLogFormat": "x"},
    "values.global.proxy.image": "other",
    "components.base.enabled": False,
    "components.pilot.enabled": False,
    "values.istio_cni": {"enabled": True, "chained": False},
    "values.gateways.istio-ingressgateway.ports": [{"port": 80}],
    "values.gateways.istio-egressgateway.ports": [{"port": 80}],
    "values.pilot.envVarFrom": [{"name": "X", "value": "y"}],
}
"""Values of fields for which not anything will do; None: only the default is taken, anything else is refused."""

_TOLD_OF: Final = (
    "values.global.proxy.tracer",
    "values.global.multiCluster.enabled",
    "values.global.multiCluster.globalDomainSuffix",
    "values.global.multiCluster.includeEnvoyFilter",
)
"""Without effect, which a warning says: in a ConfigMap that injection reads they are taken."""

_OF_ENABLED: Final = ("components.cni", "components.ztunnel", "components.istiodRemote")
"""Components that are refused as long as they are not there."""


def _leaves(shape: Shape, path: str) -> Iterator[tuple[str, Any]]:
    """Paths of the model, with a value that is not the default."""
    match shape:
        case MessageShape():
            for field in shape.fields:
                where = f"{path}.{field.name}".lstrip(".")
                if isinstance(field.shape, MessageShape) and where not in _EXAMPLES:
                    yield from _leaves(field.shape, where)
                else:
                    yield where, _EXAMPLES[where] if where in _EXAMPLES else _other(field.shape, field.default)


def _other(shape: Shape, default: Any) -> Any:
    match shape:
        case Boolean():
            return not default
        case Number():
            return (default or 0) + 3
        case Text():
            return "other"
        case Choice():
            return next(value for value in shape.values if value != getattr(default, "value", default))
        case Alternatives():
            return 7
        case Items():
            return [_item(shape.item)]
        case Entries():
            return {"some.io/key": _other(shape.value, None)}
        case Anything():
            return {"some": "thing"}
    raise AssertionError(shape)


def _item(shape: Shape) -> Any:
    if isinstance(shape, MessageShape):
        return {field.name: _other(field.shape, None) for field in shape.fields if field.required}
    return _other(shape, None)


_LEAVES: Final = [
    (path, value)
    for path, value in _leaves(shape_of(Operator), "")
    if not path.startswith(_OF_ENABLED) and path not in ("components.ingressGateways", "components.egressGateways")
]


_PODS: Final[tuple[dict[str, Any], ...]] = (
    {"spec": {"containers": [{"name": "app", "readinessProbe": {"tcpSocket": {"port": 80}}}]}},
    {
        "metadata": {"annotations": {"sidecar.istio.io/nativeSidecar": "false"}},
        "spec": {"containers": [{"name": "app"}]},
    },
    {
        "metadata": {"annotations": {"inject.istio.io/templates": "gateway"}},
        "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]},
    },
    {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "app"}]}},
)
"""What values of injection count for."""


def _rendered(*layers: dict[str, Any]) -> bytes:
    found = resolve([OperatorFile("mesh.yaml", 1, b"", layer) for layer in layers])
    assert found.operator is not None, found.errors
    operator = found.operator
    # The definitions are the same in all, and many.
    has_definitions = operator.components.base.enabled and operator.values.base.enable_istio_config_crds
    base = msgspec.structs.replace(operator.values.base, enable_istio_config_crds=False)
    operator = msgspec.structs.replace(operator, values=msgspec.structs.replace(operator.values, base=base))
    objects = [each.object for each in render(operator)]
    return msgspec.json.encode([has_definitions, objects, list(_injected(operator, objects))])


def _injected(operator: Operator, objects: list[dict[str, Any]]) -> Iterator[Any]:
    """What injection makes of its configuration, which by itself is a copy of all values and proves nothing."""
    for found in objects:
        if found["kind"] == "ConfigMap" and "values" in found["data"]:
            injection, faults = parse_injection(found["data"]["config"], found["data"].pop("values"))
            mesh, _ = parse_mesh_config(mesh_config_text(operator))
            assert injection is not None, faults
            assert mesh is not None
            for pod in _PODS:
                yield msgspec.to_builtins(decide(pod, "shop", injection))
                yield inject(pod, Facts(namespace="shop"), mesh, injection).pod


@pytest.fixture(scope="module")
def baselines() -> list[bytes]:
    return [_rendered(base) for base in _BASES]


def _tree(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    found: dict[str, Any] = value
    return found


@pytest.mark.parametrize(("path", "value"), _LEAVES, ids=[path for path, _ in _LEAVES])
def test_changes_what_is_rendered(path: str, value: Any, baselines: list[bytes]) -> None:
    if path in _EXAMPLES and value is None:
        other = True if path.endswith("Certs") else 5 if path.endswith("Port") else "other"
        assert resolve([OperatorFile("mesh.yaml", 1, b"", _tree(path, other))]).errors
        return
    if path in _TOLD_OF:
        assert [fault.path for fault in resolve([OperatorFile("mesh.yaml", 1, b"", _tree(path, value))]).faults] == [
            path
        ]
        return
    if path in ("components.base.k8s.overlays", "components.pilot.k8s.overlays"):
        return  # Tested with what they refer to.
    outcomes = (_rendered(base, _tree(path, value)) for base in _BASES)
    assert any(one != other for one, other in zip(outcomes, baselines, strict=True))
