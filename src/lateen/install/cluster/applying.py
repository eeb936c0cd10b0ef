"""Applies objects by server-side apply: of every field the server knows that it is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import msgspec

from lateen.api.kubernetes.requests import KubernetesApi
from lateen.install.cluster.places import DEFINITION, STEPS, VALIDATION, described, path_of, place_of
from lateen.install.cluster.requests import InstallError, good, read, send, together
from lateen.install.names import FIELD_MANAGER, OWNER

_AT_A_TIME: Final = 8
_TRIES: Final = 4
_AGAIN_SECONDS: Final = 0.5
_APPLY: Final = "application/apply-patch+yaml"


class Change(Enum):
    """What applying did."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"


class Applied(msgspec.Struct, frozen=True):
    """One object, as the server has it now."""

    object: dict[str, Any]
    change: Change
    taken_from: str = ""
    """The installation that it was of until now, as the label `install.operator.istio.io/owning-resource` named it."""


class Terms(msgspec.Struct, frozen=True):
    """How objects are applied."""

    force: bool = False
    """Fields that somebody else has set are taken over."""
    dry_run: bool = False
    """The server judges and changes nothing."""


async def apply_all(
    api: KubernetesApi, objects: Iterable[Mapping[str, Any]], terms: Terms, said: Callable[[Applied], None]
) -> list[Applied]:
    """Step by step, within a step at the same time. Raises InstallError, with all conflicts of a step."""
    pending = list(objects)
    found: list[Applied] = []
    limit = asyncio.Semaphore(_AT_A_TIME)
    for step in STEPS:
        chosen = [each for each in pending if place_of(each) in step]
        outcomes = await together(_bounded(limit, api, each, terms) for each in chosen)
        problems = [each for each in outcomes if isinstance(each, InstallError)]
        if problems:
            raise InstallError("\n".join(str(each) for each in problems))
        for outcome in outcomes:
            if isinstance(outcome, Applied):
                found.append(outcome)
                said(outcome)
        if DEFINITION in step and not terms.dry_run:
            await established(api, [each["metadata"]["name"] for each in chosen])
    return found


async def _bounded(
    limit: asyncio.Semaphore, api: KubernetesApi, desired: Mapping[str, Any], terms: Terms
) -> Applied | InstallError:
    async with limit:
        try:
            return await apply_one(api, desired, terms)
        except InstallError as problem:
            return problem


async def apply_one(api: KubernetesApi, desired: Mapping[str, Any], terms: Terms) -> Applied:
    """Raises InstallError; a conflict names the fields, who has set them, and what to do."""
    path = path_of(desired)
    live = await read(api, path)
    body = left_to_the_control_plane(desired, live)
    parameters = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    if terms.force:
        parameters["force"] = "true"
    if terms.dry_run:
        parameters["dryRun"] = "All"
    for number in range(_TRIES):
        answer = await send(api, "PATCH", path, parameters=parameters, body=body, content_type=_APPLY)
        if answer.status == 409 and _is_conflict_of_fields(answer.body):
            raise InstallError(conflict(desired, answer.body))
        if answer.status not in (409, 429) and answer.status < 500:
            break
        if number < _TRIES - 1:
            await asyncio.sleep(max(answer.retry_after, _AGAIN_SECONDS))
    if terms.dry_run and answer.status == 404:
        # Its namespace would be made first: the server cannot judge what would be in it.
        return Applied(body, Change.CREATED)
    found = good(answer, f"applying {described(desired)}")
    return Applied(found, _change(live, found), _taken_from(live, found))


def _taken_from(live: Mapping[str, Any] | None, found: Mapping[str, Any]) -> str:
    before, after = (((each or {}).get("metadata", {}).get("labels") or {}).get(OWNER, "") for each in (live, found))
    return str(before) if before != after else ""


def left_to_the_control_plane(desired: Mapping[str, Any], live: Mapping[str, Any] | None) -> dict[str, Any]:
    """Without the failure policy that a running control plane has put in place of ours."""
    body = dict(desired)
    if live is None or place_of(desired) != VALIDATION:
        return body
    policies = {each["name"]: each.get("failurePolicy") for each in live.get("webhooks") or ()}
    body["webhooks"] = [
        {
            key: value
            for key, value in each.items()
            if key != "failurePolicy" or policies.get(each["name"]) in (None, value)
        }
        for each in desired["webhooks"]
    ]
    return body


def _change(live: Mapping[str, Any] | None, found: Mapping[str, Any]) -> Change:
    if live is None:
        return Change.CREATED
    return Change.UNCHANGED if _substance(live) == _substance(found) else Change.CONFIGURED


def _substance(found: Mapping[str, Any]) -> dict[str, Any]:
    """What an object says: without what the server counts, and what controllers report."""
    kept = {key: value for key, value in found.items() if key not in ("metadata", "status", "apiVersion", "kind")}
    metadata = found.get("metadata") or {}
    return {**kept, "metadata": {key: metadata.get(key) or {} for key in ("labels", "annotations")}}


def _is_conflict_of_fields(body: Any) -> bool:
    return any(cause.get("reason") == "FieldManagerConflict" for cause in _causes(body))


def _causes(body: Any) -> Sequence[Mapping[str, Any]]:
    details = body.get("details") if isinstance(body, dict) else None
    return (details or {}).get("causes") or ()


def conflict(desired: Mapping[str, Any], body: Any) -> str:
    """A conflict of fields in words."""
    lines = [f"{described(desired)} has fields that somebody else has set to other values:"]
    for cause in _causes(body):
        lines.append(f"    {cause.get('field', '?')}: {cause.get('message', 'conflict')}")
    lines.append("  --force takes them over; or write the values that are there into the installation (-f, --set)")
    return "\n".join(lines)


async def established(api: KubernetesApi, names: Sequence[str], *, seconds: float = 30.0) -> None:
    """Waits until definitions are served. Raises InstallError after `seconds`."""
    pending = list(names)
    deadline = asyncio.get_running_loop().time() + seconds
    while pending:
        found = await together(read(api, DEFINITION.object_path("", name)) for name in pending)
        pending = [name for name, each in zip(pending, found, strict=True) if not is_established(each)]
        if not pending:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise InstallError(
                f"definitions are not served after {seconds:.0f} s: {', '.join(pending)}; "
                "`kubectl describe crd NAME` says why"
            )
        await asyncio.sleep(0.1)


def is_established(definition: Mapping[str, Any] | None) -> bool:
    conditions = ((definition or {}).get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Established" and each.get("status") == "True" for each in conditions)
