"""What is wrong with a Telemetry beyond its types (Istio: pkg/config/validation ValidateTelemetry)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.telemetry.telemetry import AccessLogging, Metrics, TagOperation, Telemetry, Tracing
from lateen.api.type.selector_validation import validate_selector, validate_targets

_COMPLAINT = re.compile(r"ERROR: [^:]*:\d+:(\d+): (.*)")


def validate(obj: Object[Telemetry]) -> Iterator[Fault]:
    spec = obj.spec
    yield from validate_selector(spec.selector)
    yield from validate_targets(spec.target_ref, spec.target_refs)
    for index, metrics in enumerate(spec.metrics):
        yield from _metrics(metrics, f"spec.metrics[{index}]")
    if len(spec.tracing) > 1:
        yield warning("spec.tracing[1]", "only the first element is used")
    for index, tracing in enumerate(spec.tracing):
        yield from _tracing(tracing, f"spec.tracing[{index}]")
    for index, logging in enumerate(spec.access_logging):
        yield from _access_logging(logging, f"spec.accessLogging[{index}]")


def _metrics(metrics: Metrics, path: str) -> Iterator[Fault]:
    for index, override in enumerate(metrics.overrides):
        for name, tag in override.tag_overrides.items():
            where = f"{path}.overrides[{index}].tagOverrides[{name}]"
            if not name:
                yield warning(where, "the name of a tag should not be empty")
            if tag.operation is TagOperation.UPSERT and not tag.value:
                yield error(f"{where}.value", "missing: a CEL expression is required with UPSERT")


def _tracing(tracing: Tracing, path: str) -> Iterator[Fault]:
    if len(tracing.providers) > 1:
        yield warning(f"{path}.providers[1]", "only the first provider is used")
    if "" in tracing.custom_tags:
        yield error(f"{path}.customTags[]", "the name of a tag must not be empty")


def _access_logging(logging: AccessLogging, path: str) -> Iterator[Fault]:
    if logging.filter is not None and logging.filter.expression:
        wrong = _wrong_expression(logging.filter.expression)
        if wrong:
            yield error(f"{path}.filter.expression", f"expected an expression in CEL: {wrong}")


def _wrong_expression(expression: str) -> str:
    """What is wrong with the syntax of a CEL expression. What its names mean is Envoy's to know."""
    # Loading the library takes longer than loading all of this package, and few resources need it.
    from cel_expr_python import cel

    try:
        cel.NewEnv().compile(expression, disable_check=True)
    except RuntimeError as problem:
        found = _COMPLAINT.search(str(problem))
        return f"{found[2]} at character {found[1]}" if found else str(problem).partition("\n")[0]
    return ""
