"""What is said of every policy's workloads and targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lateen.api.schema.fault import Fault, error, warning
from lateen.api.type.selector import PolicyTargetReference, WorkloadSelector

_CORE: Final = "core"

_TARGETS: Final = {
    (_CORE, "Service"),
    ("networking.istio.io", "ServiceEntry"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "GatewayClass"),
}


def validate_selector(selector: WorkloadSelector | None, path: str = "spec.selector") -> Iterator[Fault]:
    """A selector without labels selects everything, which is rarely meant."""
    if selector is not None and not selector.match_labels:
        yield warning(path, "the selector has no labels, so that it selects every workload; leave it out to say so")


def validate_targets(
    target_ref: PolicyTargetReference | None, target_refs: Sequence[PolicyTargetReference]
) -> Iterator[Fault]:
    """Targets must be of the kinds that have proxies."""
    if target_ref is not None:
        yield from _validate_target(target_ref, "spec.targetRef")
    for index, target in enumerate(target_refs):
        yield from _validate_target(target, f"spec.targetRefs[{index}]")


def _validate_target(target: PolicyTargetReference, path: str) -> Iterator[Fault]:
    if (target.group or _CORE, target.kind) not in _TARGETS:
        expected = ", ".join(f"{kind} of {group}" for group, kind in sorted(_TARGETS))
        found = f"{target.kind} of {target.group or _CORE}"
        yield error(f"{path}.kind", f"expected one of {expected}, got {found}")
