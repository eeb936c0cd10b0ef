"""Label selectors in specs: their rules, and how columns show them.

Source: k8s.io/apimachinery `metav1/validation.ValidateLabelSelector`, `metav1.FormatLabelSelector`.
"""

from __future__ import annotations

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.kinds.fields import indexed, mapping, strings, text
from lateen.cluster.apiserver.kinds.metadata_validation import validate_labels
from lateen.cluster.objects import Obj
from lateen.cluster.selectors import from_label_selector
from lateen.cluster.status import Cause, forbidden_field, invalid_value, required


def validate_label_selector(selector: Obj, path: str) -> list[Cause]:
    found = validate_labels(mapping(selector, "matchLabels"), f"{path}.matchLabels")
    for at, expression in indexed(selector, "matchExpressions", path):
        operator, values = text(expression, "operator"), strings(expression, "values")
        if operator in ("In", "NotIn"):
            if not values:
                found.append(required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                found.append(forbidden_field(f"{at}.values", detail))
        else:
            found.append(invalid_value(f"{at}.operator", operator, "not a valid selector operator"))
        key = text(expression, "key")
        found += [invalid_value(f"{at}.key", key, e) for e in names.qualified_name(key)]
        for i, value in enumerate(values):
            found += [invalid_value(f"{at}.values[{i}]", value, e) for e in names.label_value(value)]
    return found


def is_empty(selector: Obj) -> bool:
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def validate_workload_selector(spec: Obj, kind_words: str, path: str = "spec") -> list[Cause]:
    """A workload's selector: required, not empty, and matching its own pod template."""
    selector = spec.get("selector")
    if not isinstance(selector, dict):
        return [required(f"{path}.selector")]
    found = validate_label_selector(selector, f"{path}.selector")
    if is_empty(selector):
        found.append(invalid_value(f"{path}.selector", selector, f"empty selector is invalid for {kind_words}"))
        return found
    labels = mapping(mapping(mapping(spec, "template"), "metadata"), "labels")
    if not found and not from_label_selector(selector).matches(labels):
        detail = "`selector` does not match template `labels`"
        found.append(invalid_value(f"{path}.template.metadata.labels", labels, detail))
    return found


def format_label_selector(selector: Obj | None) -> str:
    """`app=web,tier in (a,b)`; `<none>` when empty or absent."""
    if selector is None or is_empty(selector):
        return "<none>"
    parts = []
    for key, value in mapping(selector, "matchLabels").items():
        parts.append((key, f"{key}={value}"))
    for _, expression in indexed(selector, "matchExpressions", ""):
        key, operator = text(expression, "key"), text(expression, "operator")
        if operator == "Exists":
            parts.append((key, key))
        elif operator == "DoesNotExist":
            parts.append((key, f"!{key}"))
        else:
            values = ",".join(sorted(strings(expression, "values")))
            parts.append((key, f"{key} {operator.lower()} ({values})"))
    return ",".join(shown for _, shown in sorted(parts))


def format_labels(labels: Obj) -> str:
    """`a=1,b=2`, sorted; `<none>` when empty."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) or "<none>"
