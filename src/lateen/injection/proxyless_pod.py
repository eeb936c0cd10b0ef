"""What a pod asks for in vain when it has no Envoy: its application is its own proxy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from lateen.api.schema.fault import Fault, warning

__all__ = ["asked_in_vain"]

_PROXYLESS: Final = frozenset(("grpc-agent", "grpc-simple"))
_OF_CAPTURE: Final = ("traffic.sidecar.istio.io/", "istio.io/reroute-virtual-interfaces")
_OF_ENVOY: Final = frozenset(
    f"sidecar.istio.io/{name}"
    for name in (
        "interceptionMode", "capNetBindService", "logLevel", "componentLogLevel", "bootstrapOverride", "extraStatTags",
        "statsInclusionPrefixes", "statsInclusionSuffixes", "statsInclusionRegexps", "statsHistogramBuckets",
        "statsFlushInterval", "statsEvictionInterval",
    )
)  # fmt: skip


def asked_in_vain(annotations: Mapping[str, str], built_in: Iterable[str]) -> list[Fault]:
    """Warnings of a pod. `built_in` are those of its templates that are the program's own."""
    templates = set(built_in)
    if not templates or not templates <= _PROXYLESS:
        return []
    return [
        warning(
            f"metadata.annotations[{name}]",
            f"has no effect with {min(templates)}: nothing is captured, and there is no Envoy",
        )
        for name in sorted(annotations)
        if name in _OF_ENVOY or name.startswith(_OF_CAPTURE)
    ]
