"""What is wrong with a TrafficExtension beyond its types."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.extensions.traffic_extension import TrafficExtension
from lateen.api.extensions.wasm_validation import validate_wasm
from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, warning
from lateen.api.type.selector_validation import validate_selector, validate_targets

_HANDLERS = ("envoy_on_request", "envoy_on_response")


def validate(obj: Object[TrafficExtension]) -> Iterator[Fault]:
    spec = obj.spec
    yield from validate_selector(spec.selector)
    yield from validate_targets(None, spec.target_refs)
    if spec.wasm is not None:
        yield from validate_wasm(spec.wasm, "spec.wasm")
    if spec.lua is not None and not any(handler in spec.lua.inline_code for handler in _HANDLERS):
        yield warning("spec.lua.inlineCode", f"defines neither {' nor '.join(_HANDLERS)}: it will do nothing")
