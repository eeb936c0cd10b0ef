"""`k8s.overlays`: changes at any place of any object of a component, after everything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lateen.install.explicit import explicit
from lateen.install.paths import PathError, delete_at, parse_path, set_at
from lateen.install.values.operator import Overlay


def with_overlays(objects: list[dict[str, Any]], overlays: Sequence[Overlay], where: str) -> list[dict[str, Any]]:
    """Other objects: what these share, with each other and with the values, stays as it is. `where`: the component.
    Raises PathError for an overlay that does not fit."""
    if overlays:
        objects = [explicit(each) for each in objects]
    for number, overlay in enumerate(overlays):
        place = f"{where}.k8s.overlays[{number}]"
        chosen = [each for each in objects if _is_meant(each, overlay)]
        if not chosen:
            there = ", ".join(f"{each['kind']} {each['metadata']['name']}" for each in objects)
            raise PathError(f"{place}: there is no {overlay.kind} {overlay.name}; there are: {there}")
        for each in chosen:
            for index, patch in enumerate(overlay.patches):
                try:
                    path = parse_path(patch.path)
                    if patch.value is None:
                        delete_at(each, path)
                    else:
                        set_at(each, path, explicit(patch.value))
                except PathError as problem:
                    raise PathError(f"{place}.patches[{index}]: {problem}") from problem
    return objects


def _is_meant(found: dict[str, Any], overlay: Overlay) -> bool:
    return (
        found["kind"] == overlay.kind
        and found["metadata"]["name"] == overlay.name
        and overlay.api_version in ("", found["apiVersion"])
    )
