"""What Kubernetes fills in for a container, an init container or an ephemeral container.

Source: k8s.io/kubernetes `pkg/apis/core/v1/defaults.go`.
"""

from __future__ import annotations

import re

from lateen.cluster.apiserver.kinds.fields import canonical_quantities, fill, mapping, objects, section, text
from lateen.cluster.objects import Obj
from lateen.cluster.quantity import canonical

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def default_pull_policy(image: str) -> str:
    """`Always` for an image with no tag or `:latest`, unless pinned by digest."""
    name, at, _ = image.partition("@")
    m = re.search(r":([\w][\w.-]{0,127})$", name)
    tag = m[1] if m else ("" if at else "latest")
    return "Always" if tag == "latest" else "IfNotPresent"


def default_container(container: Obj) -> None:
    fill(
        container,
        imagePullPolicy=default_pull_policy(text(container, "image")),
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    canonical_quantities(section(container, "resources"), "limits", "requests")
    for port in objects(container, "ports"):
        fill(port, protocol="TCP")
    for env in objects(container, "env"):
        source = mapping(env, "valueFrom")
        default_field_reference(source)
    for name in _PROBES:
        if isinstance(container.get(name), dict):
            _default_probe(container[name])
    lifecycle = mapping(container, "lifecycle")
    for hook in ("postStart", "preStop"):
        _default_http_get(mapping(lifecycle, hook))


def default_field_reference(source: Obj) -> None:
    """`fieldRef` and `resourceFieldRef` of an environment variable or a downward API file."""
    if isinstance(source.get("fieldRef"), dict):
        fill(source["fieldRef"], apiVersion="v1")
    if isinstance(source.get("resourceFieldRef"), dict):
        reference = source["resourceFieldRef"]
        reference["divisor"] = canonical(reference.get("divisor") or "0")


def request_limits(resources: Obj) -> None:
    """Requests that are not given equal the limits."""
    limits = mapping(resources, "limits")
    if limits:
        fill(section(resources, "requests"), **limits)


def _default_probe(probe: Obj) -> None:
    _default_http_get(probe)
    if isinstance(probe.get("grpc"), dict):
        fill(probe["grpc"], service="")
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        if not probe.get(name):
            probe[name] = value


def _default_http_get(handler: Obj) -> None:
    if isinstance(handler.get("httpGet"), dict):
        fill(handler["httpGet"], path="/", scheme="HTTP")
