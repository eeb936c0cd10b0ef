"""Merges what users write over what was there: mappings key by key, everything else as a whole.

Gateways of `components` and `env` of `k8s` are told apart by name, as Istio does it; other lists are replaced.
A gateway that says no name is the one that profiles have.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Final

_GATEWAYS: Final = {"ingressGateways": "istio-ingressgateway", "egressGateways": "istio-egressgateway"}


def merged(below: Any, above: Any, path: tuple[str, ...] = ()) -> Any:
    """A new value; neither is changed. `path`: the keys that led to them."""
    if isinstance(below, dict) and isinstance(above, dict):
        result = {key: deepcopy(value) for key, value in below.items() if key not in above}
        # The order of what was there, then what is new.
        ordered = {key: merged(below.get(key), value, (*path, key)) for key, value in above.items()}
        return {key: (ordered | result)[key] for key in (*below, *(key for key in above if key not in below))}
    names = _names(path)
    if "namespace" in names and isinstance(above, list):
        above = [_named(item, _GATEWAYS[path[-1]]) for item in above]
    if names and isinstance(below, list) and isinstance(above, list):
        return _merged_by_name(below, above, path, names)
    return deepcopy(above)


def _names(path: tuple[str, ...]) -> tuple[str, ...]:
    """The keys by which the items of a list are told apart; empty if the list is replaced."""
    if len(path) >= 2 and path[-2] == "components" and path[-1] in _GATEWAYS:
        return ("name", "namespace")
    return ("name",) if path[-2:] == ("k8s", "env") else ()


def _named(item: Any, name: str) -> Any:
    return {"name": name, **item} if isinstance(item, dict) and "name" not in item else item


def _merged_by_name(below: list[Any], above: list[Any], path: tuple[str, ...], names: Sequence[str]) -> list[Any]:
    result = deepcopy(below)
    for item in above:
        place = next((number for number, other in enumerate(result) if _same(other, item, names)), None)
        if place is None:
            result.append(deepcopy(item))
        else:
            result[place] = merged(result[place], item, path)
    return result


def _same(one: Any, other: Any, names: Sequence[str]) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(other, dict)
        and bool(one.get("name"))
        and all((one.get(name) or "") == (other.get(name) or "") for name in names)
    )
