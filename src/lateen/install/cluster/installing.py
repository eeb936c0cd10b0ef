"""Installs: component after component is applied and waited for, then what is no longer part of it is removed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from lateen.install.cluster.applying import Applied, Change, Terms, apply_all
from lateen.install.cluster.diagnosis import diagnose
from lateen.install.cluster.places import (
    DEPLOYMENT,
    INJECTION,
    NAMESPACE,
    OWNED,
    VALIDATION,
    Place,
    described,
    path_of,
    place_of,
)
from lateen.install.cluster.readiness import waiting_for
from lateen.install.cluster.removal import remove
from lateen.install.cluster.requests import ClusterApi, InstallError, good, listed, read, send, together
from lateen.install.names import BASE, COMPONENT, MANAGED, OWNER, REVISION, STAGES, TAG, owner
from lateen.install.progress import Progress, title
from lateen.install.rendering.objects import Rendered
from lateen.install.values.operator import Operator

_LOOK_SECONDS: Final = 0.25
_DEFAULT_TAG: Final = "default"
_OLDEST_MINOR: Final = 25
"""Of Kubernetes 1: rules (CEL) in definitions, autoscaling/v2, the sysctl by which gateways listen below 1024."""


class Options(msgspec.Struct, frozen=True):
    """How it is done."""

    terms: Terms = Terms()
    readiness_seconds: float = 300.0
    """How long each component may take until it is ready."""


class Report(msgspec.Struct, frozen=True):
    """What was done."""

    applied: tuple[Applied, ...]
    removed: tuple[str, ...]
    """In words."""

    def count(self, change: Change) -> int:
        return sum(each.change is change for each in self.applied)


async def install(
    api: ClusterApi, operator: Operator, rendered: Sequence[Rendered], options: Options, progress: Progress
) -> Report:
    """Raises InstallError; then what was applied until then stays, and the same command goes on from there."""
    await preflight(api, operator)
    if not options.terms.dry_run:
        await _namespaces(api, operator, rendered)
    applied: list[Applied] = []
    for stage in STAGES:
        objects = {name: [each.object for each in rendered if each.component == name] for name in stage}
        outcomes = await together(
            _attempt(api, name, chosen, options, progress) for name, chosen in objects.items() if chosen
        )
        problems = [str(each) for each in outcomes if isinstance(each, InstallError)]
        if problems:
            raise InstallError("\n".join(problems))
        applied += [each for outcome in outcomes if isinstance(outcome, list) for each in outcome]
    removed = await _prune(api, operator, rendered, options.terms, progress)
    return Report(tuple(applied), tuple(removed))


async def preflight(api: ClusterApi, operator: Operator) -> None:
    """Whether it can be installed here, beside what is there. Raises InstallError."""
    version = good(await send(api, "GET", "/version"), "asking for the cluster's version")
    if why := too_old(str(version.get("major", "")), str(version.get("minor", ""))):
        raise InstallError(why)
    if _DEFAULT_TAG not in operator.values.revision_tags or not operator.revision:
        return
    for each in await listed(api, INJECTION):
        if _is_of_the_default_revision(each):
            raise InstallError(
                f"values.revisionTags: the default revision is installed ({described(each)}) and injects namespaces "
                f"labelled istio-injection=enabled; the tag default of {operator.revision} would as well. "
                "Uninstall it first (lateen uninstall --revision default), or leave the tag out"
            )


def too_old(major: str, minor: str) -> str:
    """Why a cluster of this version cannot have the mesh; empty if it can, or does not say what it is."""
    found = re.match(r"\d+", minor)
    if major != "1" or found is None or int(found[0]) >= _OLDEST_MINOR:
        return ""
    return f"the cluster is Kubernetes {major}.{found[0]}; the mesh needs 1.{_OLDEST_MINOR} or newer"


async def needs_default_tag(api: ClusterApi, operator: Operator) -> bool:
    """Whether nobody but a named revision is there to inject namespaces labelled `istio-injection=enabled`."""
    if not operator.revision or not operator.components.pilot.enabled or operator.values.revision_tags:
        return False
    for each in await listed(api, INJECTION):
        labels = each["metadata"].get("labels") or {}
        tagged = labels.get(TAG) == _DEFAULT_TAG and labels.get(REVISION) != operator.revision
        if tagged or _is_of_the_default_revision(each):
            return False
    return True


def _is_of_the_default_revision(injection: Mapping[str, Any]) -> bool:
    """Whether a registration is that of the revision without a name; those of its tags are others."""
    labels = injection["metadata"].get("labels") or {}
    return labels.get(REVISION) == "default" and labels.get("app") == "sidecar-injector" and TAG not in labels


async def _namespaces(api: ClusterApi, operator: Operator, rendered: Iterable[Rendered]) -> None:
    """Makes those that are missing. The control plane's own tells its network."""
    names = {each.object["metadata"].get("namespace") for each in rendered} - {None}
    for name in sorted({operator.namespace, *names}):
        path = NAMESPACE.object_path("", name)
        if await read(api, path) is None:
            metadata: dict[str, Any] = {"name": name, "labels": {MANAGED: "Reconcile"}}
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
            good(await send(api, "POST", NAMESPACE.path, body=body), f"making the namespace {name}")
        network = operator.values.global_.network
        if network and name == operator.namespace:
            body = {"metadata": {"labels": {"topology.istio.io/network": network}}}
            kind = "application/merge-patch+json"
            good(await send(api, "PATCH", path, body=body, content_type=kind), f"labelling the namespace {name}")


async def _attempt(
    api: ClusterApi, component: str, objects: Sequence[Mapping[str, Any]], options: Options, progress: Progress
) -> list[Applied] | InstallError:
    """So that of components that fail together each is explained."""
    try:
        return await _component(api, component, objects, options, progress)
    except InstallError as problem:
        return problem


async def _component(
    api: ClusterApi, component: str, objects: Sequence[Mapping[str, Any]], options: Options, progress: Progress
) -> list[Applied]:
    progress.working(component, f"applying {len(objects)} objects")

    def said(each: Applied) -> None:
        if each.taken_from and place_of(each.object) == DEPLOYMENT:
            told = f"was of the installation {each.taken_from}; it is of this one from now on, and goes with it"
            progress.note(f"{described(each.object)} {told}")

    try:
        applied = await apply_all(api, objects, options.terms, said)
        if not options.terms.dry_run:
            await _ready(api, component, [each.object for each in applied], options.readiness_seconds, progress)
    except InstallError:
        progress.failed(component, "failed")
        raise
    counts = {change: sum(each.change is change for each in applied) for change in Change}
    told = ", ".join(f"{count} {change.value}" for change, count in counts.items() if count)
    progress.done(component, f"would be applied: {told}" if options.terms.dry_run else f"installed ({told})")
    return applied


async def _ready(
    api: ClusterApi, component: str, applied: Sequence[dict[str, Any]], seconds: float, progress: Progress
) -> None:
    pending = [each for each in applied if place_of(each) in (DEPLOYMENT, INJECTION)]
    deadline = asyncio.get_running_loop().time() + seconds
    while pending:
        waits = [(each, await waiting_for(api, each)) for each in pending]
        waits = [(each, why) for each, why in waits if why]
        if not waits:
            return
        progress.working(component, f"waiting for {described(waits[0][0])}: {waits[0][1]}")
        if asyncio.get_running_loop().time() > deadline:
            raise InstallError(await _not_ready(api, component, waits, seconds))
        pending = [each for each, _ in waits]
        await asyncio.sleep(_LOOK_SECONDS)


async def _not_ready(
    api: ClusterApi, component: str, waits: Sequence[tuple[dict[str, Any], str]], seconds: float
) -> str:
    parts = [f"{title(component)}: not ready within {seconds:.0f} s (--readiness-timeout)"]
    for each, why in waits:
        parts.append(await diagnose(api, each) if place_of(each) == DEPLOYMENT else f"{described(each)}: {why}")
    return "\n".join(parts)


async def _prune(
    api: ClusterApi, operator: Operator, rendered: Iterable[Rendered], terms: Terms, progress: Progress
) -> list[str]:
    """What an earlier installation of this revision has made and this one does not have. Definitions stay always."""
    keep = {path_of(each.object) for each in rendered}
    selector = f"{OWNER}={owner(operator.revision)},{COMPONENT},{COMPONENT}!={BASE}"
    found = await together(listed(api, place, selector) for place in OWNED)
    gone = [each for each in (item for items in found for item in items) if path_of(each) not in keep]
    if not operator.revision and operator.components.pilot.enabled:
        gone += await _default_tags_of_others(api)

    def said(each: Mapping[str, Any]) -> None:
        progress.note(f"{described(each)} is no longer part of the installation: {_verb(terms)}")

    if terms.dry_run:
        for each in gone:
            said(each)
    else:
        await remove(api, gone, said=said)
    return [described(each) for each in gone]


async def _default_tags_of_others(api: ClusterApi) -> list[dict[str, Any]]:
    """The default revision takes over what a named one has done for it."""
    places: tuple[Place, ...] = (INJECTION, VALIDATION)
    found = await together(listed(api, place, f"{TAG}={_DEFAULT_TAG}") for place in places)
    return [each for items in found for each in items]


def _verb(terms: Terms) -> str:
    return "would be removed" if terms.dry_run else "removed"
