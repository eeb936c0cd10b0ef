"""Pods and configurations for the tests of injection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.mesh.parse import parse_mesh_config
from lateen.injection.configuration import InjectionConfig, parse_injection
from lateen.injection.inject import Facts, Injected, inject

PROBE: Final[Mapping[str, Any]] = {"httpGet": {"path": "/ready", "port": 8080}}
"""Of an application."""


def configuration(config: str = "", **values: Any) -> InjectionConfig:
    """`values` by their top-level names; `global_` is `global`."""
    found, faults = parse_injection(config, yaml.safe_dump({name.rstrip("_"): each for name, each in values.items()}))
    assert found is not None, faults
    return found


def mesh(text: str = "") -> MeshConfig:
    if not text:
        return MeshConfig()
    found, faults = parse_mesh_config(text)
    assert found is not None, faults
    return found


def pod(
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    containers: list[dict[str, Any]] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """With one container `app`, unless told otherwise."""
    return {
        "metadata": {"name": "web", "labels": dict(labels or {"app": "web"}), "annotations": dict(annotations or {})},
        "spec": {"containers": containers or [{"name": "app", "image": "app:1"}], **spec},
    }


def injected(
    given: Mapping[str, Any], config: InjectionConfig | None = None, mesh_text: str = "", **facts: Any
) -> dict[str, Any]:
    return result(given, config, mesh_text, **facts).pod


def result(
    given: Mapping[str, Any], config: InjectionConfig | None = None, mesh_text: str = "", **facts: Any
) -> Injected:
    return inject(given, Facts(namespace="shop", **facts), mesh(mesh_text), config or configuration())


def container(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    spec = found["spec"]
    listed = [*spec.get("initContainers", ()), *spec["containers"]]
    return next(each for each in listed if each["name"] == name)


def variables(found: Mapping[str, Any], name: str = "istio-proxy") -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in container(found, name).get("env", ())}


def names(found: Mapping[str, Any], group: str) -> list[str]:
    return [each["name"] for each in found["spec"].get(group, ())]
