"""`lateen kube-inject`: injection of manifests, as the webhook would do it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.mesh.parse import parse_mesh_config
from lateen.api.schema.fault import Fault, Severity
from lateen.cli.inspection_options import Place, located
from lateen.injection.configuration import CONFIG_KEY, VALUES_KEY, InjectionConfig, parse_injection
from lateen.injection.decision import decide
from lateen.injection.inject import Facts, Refused, inject
from lateen.injection.manifests import ManifestError, inject_manifests
from lateen.injection.misshapen import misshapen_pod
from lateen.injection.values import AutoInject
from lateen.injection.workload import Workload
from lateen.sources.kubernetes.client import Client
from lateen.sources.mesh_settings import MESH_KEY, config_map_name
from lateen.webhooks.injection_configuration import config_map_name as injector_name

_LARGEST = 64 * 1024 * 1024
"""Bytes of a file."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Texts(msgspec.Struct, frozen=True):
    """The configuration as it is written."""

    config: str
    values: str
    mesh: str


@click.command(name="kube-inject", short_help="Inject proxies into manifests.")
@click.option("-f", "--filename", required=True, metavar="FILE|-", help="Manifests, or - for standard input.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write; else printed.")
@click.option("--meshConfigFile", "mesh_file", type=_FILE, help="MeshConfig, in place of the cluster's.")
@click.option("--injectConfigFile", "config_file", type=_FILE, help="Injection's configuration, likewise.")
@click.option("--valuesFile", "values_file", type=_FILE, help="Injection's values, likewise.")
@click.option("--meshConfigMapName", "mesh_name", default="", help="The ConfigMap of MeshConfig.  [default: istio]")
@click.option(
    "--injectConfigMapName",
    "config_name",
    default="",
    help="The ConfigMap of injection.  [default: istio-sidecar-injector]",
)
@click.option("-r", "--revision", default="", help="The control plane's.")
@located
def kube_inject(
    filename: str,
    output: Path | None,
    mesh_file: Path | None,
    config_file: Path | None,
    values_file: Path | None,
    mesh_name: str,
    config_name: str,
    revision: str,
    place: Place,
) -> None:
    """Inject proxies into the pods of manifests: Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs,
    CronJobs, ReplicationControllers, and Lists of them. Everything else stays as it is.

    The configuration is that of the cluster, unless files name another; with all three files no cluster is asked.

    \b
    Examples:
      lateen kube-inject -f web.yaml | kubectl apply -f -
      lateen kube-inject -f web.yaml -o injected.yaml --revision canary
      lateen kube-inject -f web.yaml --injectConfigFile config.yaml --valuesFile values.json --meshConfigFile mesh.yaml
    """
    given = tuple(None if file is None else file.read_text() for file in (config_file, values_file, mesh_file))
    text = _content(filename)
    names = (config_name or injector_name(revision), mesh_name or config_map_name(revision))
    if None in given:
        stored = place.run(lambda client, _: _stored(client, place.istio_namespace, *names, given))
    else:
        stored = _Texts("", "", "")
    texts = _Texts(*(own if own is not None else theirs for own, theirs in zip(given, _fields(stored), strict=True)))
    injector = _Injector(*_parsed(texts), place.given_namespace)
    try:
        result = inject_manifests(text, injector.inject)
    except (ManifestError, Refused) as problem:
        raise click.ClickException(f"{filename}: {problem}") from problem
    if output is None:
        click.echo(result, nl=False)
    else:
        output.write_text(result)


class _Injector:
    """As the webhook, for manifests: what they do not say is as in the cluster."""

    def __init__(self, injection: InjectionConfig, mesh: MeshConfig, namespace: str) -> None:
        # Whoever calls the command wants injection: only what a pod says of itself counts.
        self._injection = msgspec.structs.replace(injection, policy=AutoInject.ENABLED)
        self._mesh = mesh
        self._namespace = namespace

    def inject(self, pod: Mapping[str, Any], workload: Workload, namespace: str) -> Mapping[str, Any] | None:
        where = namespace or self._namespace or "default"
        subject = f"{workload.kind} {workload.name}"
        misshapen = misshapen_pod(pod)
        if misshapen:
            raise ManifestError(f"{subject}: {_words(misshapen[0])}")
        decision = decide(pod, where, self._injection)
        if not decision.inject:
            click.echo(f"{subject} is not injected: {decision.reason}", err=True)
            return None
        workload = msgspec.structs.replace(workload, namespace=where)
        try:
            result = inject(pod, Facts(namespace=where, workload=workload), self._mesh, self._injection)
        except Refused as refused:
            raise ManifestError(f"{subject}: {refused}") from refused
        for fault in result.warnings:
            click.echo(f"{subject}: {_words(fault)}", err=True)
        return result.pod


def _content(filename: str) -> str:
    try:
        with sys.stdin.buffer if filename == "-" else open(filename, "rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as problem:
        raise click.ClickException(f"{filename}: {problem.strerror}") from problem
    if len(content) > _LARGEST:
        raise click.ClickException(f"{filename}: more than {_LARGEST} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise click.ClickException(f"{filename}: not UTF-8") from problem


def _fields(texts: _Texts) -> tuple[str, str, str]:
    return texts.config, texts.values, texts.mesh


async def _stored(
    client: Client, namespace: str, config_name: str, mesh_name: str, given: tuple[str | None, ...]
) -> _Texts:
    """What the cluster has of that which files do not give."""
    config = await _data(client, namespace, config_name) if None in given[:2] else {}
    mesh = await _data(client, namespace, mesh_name) if given[2] is None else {}
    return _Texts(config.get(CONFIG_KEY, ""), config.get(VALUES_KEY, ""), mesh.get(MESH_KEY, ""))


async def _data(client: Client, namespace: str, name: str) -> dict[str, str]:
    answer = await client.send("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    if answer.status != 200:
        raise click.ClickException(
            f"the ConfigMap {namespace}/{name}: {answer.message}; is the mesh installed there (-i, --revision)?"
        )
    return dict(answer.body.get("data") or {})


def _parsed(texts: _Texts) -> tuple[InjectionConfig, MeshConfig]:
    injection, injection_faults = parse_injection(texts.config, texts.values)
    mesh, mesh_faults = parse_mesh_config(texts.mesh)
    for name, value, faults in (("injection", injection, injection_faults), ("MeshConfig", mesh, mesh_faults)):
        wrong = [fault for fault in faults if fault.severity is Severity.ERROR]
        if value is None:
            raise click.ClickException(f"{name}: {'; '.join(_words(fault) for fault in wrong)}")
    assert injection is not None
    assert mesh is not None
    return injection, mesh


def _words(fault: Fault) -> str:
    return f"{fault.path}: {fault.message}" if fault.path else fault.message
