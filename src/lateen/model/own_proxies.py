"""Workloads that are their own proxies: gRPC applications, by the template that they were injected with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEMPLATES_ANNOTATION: Final = "inject.istio.io/templates"
WITH_AGENT: Final = "grpc-agent"
"""An agent gets its certificates."""
PLAIN: Final = "grpc-simple"
"""It has none."""


def templates(annotations: Mapping[str, str]) -> frozenset[str]:
    """The templates that a pod asks for by name."""
    given = annotations.get(TEMPLATES_ANNOTATION)
    return frozenset(name.strip() for name in given.split(",")) if given else frozenset()
