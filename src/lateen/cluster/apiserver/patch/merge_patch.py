"""JSON merge patch (RFC 7386)."""

from __future__ import annotations

from typing import Any

from lateen.cluster.objects import Obj, deep_copy
from lateen.cluster.status import bad_request


def apply(doc: Obj, patch: Any) -> Obj:
    """A new object; `doc` is left as it is. 400 unless the patch is an object."""
    if not isinstance(patch, dict):
        raise bad_request("a merge patch must be a JSON object")
    merged: Obj = _merge(doc, patch)
    return merged


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return deep_copy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    # Members the patch does not name are still shared with the target.
    return {k: v if k in patch else deep_copy(v) for k, v in result.items()}
