"""Removes objects and waits until they are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lateen.api.kubernetes.requests import KubernetesApi
from lateen.install.cluster.places import (
    DEFINITION,
    DEPLOYMENT,
    INJECTION,
    NAMESPACE,
    STEPS,
    VALIDATION,
    Place,
    described,
    path_of,
    place_of,
)
from lateen.install.cluster.requests import InstallError, good, read, send, together

_LOOK_SECONDS: Final = 0.2
_ORDER: Final[tuple[tuple[Place, ...], ...]] = (
    # Nobody is asked any more before the one who answers is gone.
    (INJECTION, VALIDATION),
    (DEPLOYMENT,),
    *((tuple(p for p in step if p not in (INJECTION, VALIDATION, DEPLOYMENT, DEFINITION))) for step in STEPS[1:]),
    (DEFINITION,),
    (NAMESPACE,),
)


async def remove(
    api: KubernetesApi,
    objects: Sequence[Mapping[str, Any]],
    *,
    said: Callable[[Mapping[str, Any]], None] = lambda found: None,
    seconds: float = 120.0,
) -> None:
    """What is gone already is no matter; `said` is told of each. Raises InstallError, also when something is still
    there after `seconds`."""
    for step in _ORDER:
        chosen = [each for each in objects if place_of(each) in step]
        await together(_delete(api, each) for each in chosen)
        await _gone(api, [path_of(each) for each in chosen], seconds)
        for each in chosen:
            said(each)


async def _delete(api: KubernetesApi, found: Mapping[str, Any]) -> None:
    # Foreground: a Deployment is gone when its pods are.
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
    answer = await send(api, "DELETE", path_of(found), body=body)
    if answer.status != 404:
        good(answer, f"removing {described(found)}")


async def _gone(api: KubernetesApi, paths: Sequence[str], seconds: float) -> None:
    pending = list(paths)
    deadline = asyncio.get_running_loop().time() + seconds
    while pending:
        found = await together(read(api, path) for path in pending)
        pending = [path for path, each in zip(pending, found, strict=True) if each is not None]
        if pending:
            if asyncio.get_running_loop().time() > deadline:
                raise InstallError(
                    f"still there after {seconds:.0f} s: {', '.join(pending)}; "
                    "a finalizer may hold them (kubectl get -o yaml)"
                )
            await asyncio.sleep(_LOOK_SECONDS)
