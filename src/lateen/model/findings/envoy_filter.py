"""Findings on EnvoyFilters."""

from __future__ import annotations

from lateen.api.networking.envoy_filter_validation import patch_value
from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, Severity
from lateen.engine import Reader, query
from lateen.model.inputs import ENVOY_FILTERS


@query
def envoy_filter_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """Patches whose value is nothing that Envoy knows: each is left out, the others apply."""
    obj = ENVOY_FILTERS.get(db, key)
    if obj is None:
        return ()
    return tuple(
        fault
        for index, patch in enumerate(obj.spec.config_patches)
        for fault in patch_value(patch, f"spec.configPatches[{index}]")[1]
        if fault.severity is Severity.ERROR
    )
