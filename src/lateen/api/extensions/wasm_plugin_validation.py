"""What is wrong with a WasmPlugin beyond its types (Istio: pkg/config/validation ValidateWasmPlugin)."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.extensions.wasm_plugin import WasmPlugin
from lateen.api.extensions.wasm_validation import validate_wasm
from lateen.api.objects import Object
from lateen.api.schema.fault import Fault
from lateen.api.type.selector_validation import validate_selector, validate_targets


def validate(obj: Object[WasmPlugin]) -> Iterator[Fault]:
    spec = obj.spec
    yield from validate_selector(spec.selector)
    yield from validate_targets(spec.target_ref, spec.target_refs)
    yield from validate_wasm(spec, "spec")
