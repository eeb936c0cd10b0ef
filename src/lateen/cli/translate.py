"""`lateen translate`: what Envoy would be told, from manifests alone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from lateen.api.objects import ObjectRef
from lateen.api.schema.fault import Fault, Severity
from lateen.cli.output import print_data
from lateen.engine import Engine, QueryError, Reader, query
from lateen.model.expected_proxy import expected_proxies
from lateen.model.findings.destination_rule import EMPTY_SUBSET
from lateen.model.inputs import PODS, REJECTED, WORKLOAD_ENTRIES
from lateen.model.proxy import Proxy, Role
from lateen.model.tables import TABLES
from lateen.sources.files.mesh_settings_source import MeshSettingsSource
from lateen.sources.files.source import FileSource
from lateen.sources.source import Source
from lateen.sources.store import STORED, Store
from lateen.status.findings import report
from lateen.translate.catalog import listing, views
from lateen.translate.envoy_types import decoded, readable
from lateen.translate.resource import ResourceType
from lateen.xds.debug.redaction import redacted

_TYPES = {
    "clusters": ResourceType.CDS,
    "endpoints": ResourceType.EDS,
    "listeners": ResourceType.LDS,
    "routes": ResourceType.RDS,
    "secrets": ResourceType.SDS,
    "extensions": ResourceType.ECDS,
}
_SHORT = {type_.name.lower(): name for name, type_ in _TYPES.items()}


@click.command(short_help="The Envoy configuration of a workload, from manifests alone.")
@click.option(
    "-f",
    "--filename",
    "filenames",
    multiple=True,
    required=True,
    metavar="FILE|DIR|-",
    help="Manifests: Services, Pods or workloads, and the mesh's resources. May be given several times.",
)
@click.option(
    "--proxy", "proxy_name", required=True, metavar="NAME[.NAMESPACE]", help="A pod, a workload or a WorkloadEntry."
)
@click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice(sorted(_SHORT)),
    help="Only resources of this type. May be given several times; default: all but secrets.",
)
@click.option(
    "--role",
    type=click.Choice(["sidecar", "router"]),
    help="What the proxy is. Default: a router if a Gateway selects it.",
)
@click.option("-n", "--namespace", default="default", show_default=True, help="Of what names none.")
@click.option(
    "--mesh-config",
    "mesh_config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="MeshConfig, as YAML.",
)
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), default="yaml", show_default=True)
def translate(
    filenames: tuple[str, ...],
    proxy_name: str,
    types: tuple[str, ...],
    role: str | None,
    namespace: str,
    mesh_config: Path | None,
    output: str,
) -> None:
    """The Envoy configuration that a workload would get from these manifests, without any cluster.

    What the cluster's controllers would make of the manifests (pods of Deployments, EndpointSlices of Services,
    namespaces) is added where it is missing. Pods that are made up have no addresses: endpoints, and the identities
    that clusters expect of them, are those of Pods and EndpointSlices that are there. A pod is in the mesh if it has
    the label security.istio.io/tlsMode: istio, as injected pods have.

    Faults of the manifests go to standard error; what they leave is translated all the same, and the exit status is 1.
    What is referred to and is not in the manifests (services, subsets, Secrets, Gateways), what has no effect, and
    what is in the way of something else is warned about.

    \b
    Examples:
      lateen translate -f bookinfo.yaml -f routes/ --proxy productpage-v1.default
      lateen translate -f mesh/ --proxy reviews-v1.default --type rds -o json
      kubectl get svc,pod,endpointslice,vs,dr -A -o yaml | lateen translate -f - --proxy web-0.shop
    """
    # What the store logs is told below, in the form of this command.
    logging.getLogger("lateen").addHandler(logging.NullHandler())
    with contextlib.ExitStack() as stack:
        paths = [_path(name, stack) for name in filenames]
        engine, store = asyncio.run(_load(paths, namespace, mesh_config))
    failed = _report(engine, store, {str(path): name for path, name in zip(paths, filenames, strict=True)})
    proxy = _proxy(engine, proxy_name, namespace)
    if role is not None:
        proxy = msgspec.structs.replace(proxy, role=Role(role))
    wanted = [_SHORT[type_] for type_ in types] or [name for name in _TYPES if name != "secrets"]
    data: dict[str, Any] = {}
    for name in wanted:
        found, faults = _resources(engine, _TYPES[name], proxy)
        data[name] = found
        for fault in faults:
            click.echo(f"error: {fault}", err=True)
        failed = failed or bool(faults)
    print_data(data if len(wanted) > 1 else data[wanted[0]], output)
    if failed:
        raise SystemExit(1)


def _path(name: str, stack: contextlib.ExitStack) -> Path:
    if name != "-":
        path = Path(name)
        if not path.exists():
            raise click.BadParameter(f"{name}: no such file or directory", param_hint="-f")
        return path
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="lateen-"))
    path = Path(directory) / "standard-input.yaml"
    path.write_bytes(sys.stdin.buffer.read())
    return path


async def _load(paths: list[Path], namespace: str, mesh_config: Path | None) -> tuple[Engine, Store]:
    """The engine with everything that the files hold."""
    engine = Engine()
    store = Store(engine)
    sources: list[Source] = [FileSource(paths, tuple(STORED), namespace=namespace)]
    if mesh_config is not None:
        sources.append(MeshSettingsSource(mesh_config, None))
    readings = [asyncio.create_task(source.run(store.sink(source))) for source in sources]
    synced = asyncio.create_task(store.synced())
    done, _ = await asyncio.wait({*readings, synced}, return_when=asyncio.FIRST_COMPLETED)
    for task in (*readings, synced):
        task.cancel()
    await asyncio.gather(*readings, synced, return_exceptions=True)
    for task in done - {synced}:
        task.result()
    return engine, store


def _report(engine: Engine, store: Store, given: Mapping[str, str]) -> bool:
    """Tells what is wrong with the manifests; returns whether there is an error. `given` are the paths that were
    read, with what the user called them."""
    failed = False
    for problems in store.problems.values():
        for where, problem in problems.items():
            click.echo(f"error: {_called(where, given)}: {problem}", err=True)
            failed = True
    for severity, ref, fault in engine.get(_faults):
        failed = failed or severity is Severity.ERROR
        where = _called(store.origin(ref), given)
        located = f"{ref}: {fault.path}: {fault.message}" if fault.path else f"{ref}: {fault.message}"
        code = f" [{fault.code}]" if fault.code else ""
        click.echo(f"{severity.value}: {f'{where}: ' if where else ''}{located}{code}", err=True)
    return failed


def _called(where: str, given: Mapping[str, str]) -> str:
    path, colon, line = where.rpartition(":")
    if colon and line.isdigit():
        return f"{given.get(path, path)}:{line}"
    return given.get(where, where)


@query
def _faults(db: Reader) -> tuple[tuple[Severity, ObjectRef, Fault], ...]:
    """What is wrong with resources, errors first. What they want of others and is not there is a warning: the
    manifests may be a part of the mesh."""
    refs = {ObjectRef(kind.kind, key) for kind, table in TABLES.items() for key in table.keys(db)}
    found: list[tuple[Severity, ObjectRef, Fault]] = []
    for ref in sorted(refs.union(REJECTED.keys(db))):
        told = report(db, ref)
        if told is None:
            continue
        for fault in told.faults:
            # Whether endpoints are there is for a cluster to tell.
            if fault.code != EMPTY_SUBSET:
                found.append((fault.severity if told.rejected else Severity.WARNING, ref, fault))
    return tuple(sorted(found, key=lambda each: each[0] is not Severity.ERROR))


def _proxy(engine: Engine, given: str, namespace: str) -> Proxy:
    """The proxy that is meant. Of several pods of a workload, which agree in all that matters, the first."""
    name, _, place = given.rpartition(".")
    for tried in ((name, place), (given, namespace)) if name else ((given, namespace),):
        if found := engine.get(expected_proxies, tried[1], tried[0]):
            return found[0]
    known = engine.get(_workloads)
    listed = "\n  ".join(known[:20]) + ("\n  ..." if len(known) > 20 else "")
    there = f"there are:\n  {listed}" if known else "there are neither pods nor workloads in the manifests"
    raise click.ClickException(f"no workload {given}; {there}")


@query
def _workloads(db: Reader) -> tuple[str, ...]:
    keys = (*PODS.keys(db), *WORKLOAD_ENTRIES.keys(db))
    return tuple(sorted({f"{key.name}.{key.namespace}" for key in keys}))


def _resources(engine: Engine, type_: ResourceType, proxy: Proxy) -> tuple[list[dict[str, Any]], list[str]]:
    """The resources of a type as data, sorted by name, and what could not be made."""
    found: dict[str, dict[str, Any]] = {}
    faults: list[str] = []
    for view in engine.get(views, proxy):
        try:
            recipes = engine.get(listing, type_, view)
        except QueryError as error:
            faults.append(f"{type_.name}: {error}")
            continue
        for recipe in recipes:
            try:
                found[recipe.name] = readable(decoded(type_, engine.get(recipe.query, *recipe.args)))
            except QueryError as error:
                faults.append(f"{type_.name} {recipe.name}: {error}")
    # Keys are not for terminals and logs.
    return [_redacted(type_, found[name]) for name in sorted(found)], faults


def _redacted(type_: ResourceType, data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = redacted({"@type": type_.value, **data})
    del found["@type"]
    return found
