"""`lateen experimental check-inject`: which webhook injects a pod, or why none does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click
import msgspec

from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.mesh.parse import parse_mesh_config
from lateen.cli.inspection_options import Place, located
from lateen.cli.output import print_table
from lateen.injection.configuration import CONFIG_KEY, VALUES_KEY, parse_injection
from lateen.injection.decision import decide
from lateen.injection.inject import Facts, Refused, inject
from lateen.injection.manifests import pod_of
from lateen.injection.names import PROXY
from lateen.injection.webhook_match import Match, matches
from lateen.sources.kubernetes.client import Client
from lateen.sources.mesh_settings import MESH_KEY, config_map_name
from lateen.webhooks.injection_configuration import config_map_name as injector_name

_WEBHOOKS: Final = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_KINDS: Final = {
    "pod": ("/api/v1", "pods"),
    "deployment": ("/apis/apps/v1", "deployments"),
    "statefulset": ("/apis/apps/v1", "statefulsets"),
    "daemonset": ("/apis/apps/v1", "daemonsets"),
    "replicaset": ("/apis/apps/v1", "replicasets"),
    "job": ("/apis/batch/v1", "jobs"),
    "cronjob": ("/apis/batch/v1", "cronjobs"),
}
_SHORT: Final = {"po": "pod", "deploy": "deployment", "sts": "statefulset", "ds": "daemonset", "rs": "replicaset"}


class _Subject(msgspec.Struct, frozen=True):
    """The pod that is asked about; one that is not there yet is its template."""

    namespace: str
    pod: Mapping[str, Any]
    only_labels: bool = False

    @property
    def labels(self) -> Mapping[str, str]:
        return (self.pod.get("metadata") or {}).get("labels") or {}


@click.command(name="check-inject", short_help="Why a pod is injected or not.")
@click.argument("what", required=False, default="", metavar="[TYPE/]NAME[.NAMESPACE]")
@click.option("-l", "--labels", default="", metavar="A=B,...", help="Ask about a pod that would have these labels.")
@located
def check_inject(what: str, labels: str, place: Place) -> None:
    """Tell which webhook injects a pod or the pods of a workload, and why, or why none does.

    \b
    Examples:
      lateen experimental check-inject details-v1-fcff6c49c-kqnfk.shop
      lateen x check-inject deployment/details-v1 -n shop
      lateen x check-inject -n shop -l app=details,version=v1
    """
    if bool(what) == bool(labels):
        raise click.UsageError("expected either [TYPE/]NAME[.NAMESPACE] or --labels")

    async def asked(client: Client, namespace: str) -> tuple[list[Match], _Subject]:
        subject = _labelled(labels, namespace) if labels else await _subject(client, what, namespace)
        found = await client.get(_WEBHOOKS)
        own = await client.get(f"/api/v1/namespaces/{subject.namespace}")
        selected = matches(found.get("items") or (), own["metadata"].get("labels") or {}, subject.labels)
        return [await _verdict(client, each, subject, place.istio_namespace) for each in selected], subject

    found, subject = place.run(asked)
    if not found:
        raise click.ClickException("no injection webhooks of a mesh are there: see lateen install")
    rows = [(each.name, each.revision, "✔" if each.selected else "✘", each.reason) for each in found]
    print_table(("webhook", "revision", "injected", "reason"), rows)
    if sum(each.selected for each in found) > 1:
        click.echo("ERROR: multiple webhooks will inject, which can lead to errors", err=True)
    if (subject.pod.get("status") or {}).get("phase") and any(each.selected for each in found) != _has_proxy(subject):
        told = "has a proxy" if _has_proxy(subject) else "has no proxy"
        click.echo(f"The pod {told}, as it was created before this was so: delete it, to have it made again.", err=True)


def _has_proxy(subject: _Subject) -> bool:
    spec = subject.pod.get("spec") or {}
    return any(each.get("name") == PROXY for name in ("containers", "initContainers") for each in spec.get(name) or ())


def _labelled(text: str, namespace: str) -> _Subject:
    pairs = [word.partition("=") for word in text.split(",")]
    wrong = [word for word in text.split(",") if "=" not in word]
    if wrong:
        raise click.UsageError(f"--labels: expected A=B, got {wrong[0]!r}")
    labels = {name.strip(): value.strip() for name, _, value in pairs}
    return _Subject(namespace, {"metadata": {"labels": labels}, "spec": {"containers": []}}, only_labels=True)


async def _subject(client: Client, what: str, namespace: str) -> _Subject:
    kind, _, rest = what.rpartition("/")
    kind = kind.lower().removesuffix("s") if kind.lower() not in _SHORT else kind.lower()
    kind = _SHORT.get(kind, kind) or "pod"
    if kind not in _KINDS:
        raise click.UsageError(f"{kind!r} is no kind of workload; there are {', '.join(_KINDS)}")
    name, dot, own = rest.rpartition(".")
    name, namespace = (name, own) if dot else (rest, namespace)
    base, plural = _KINDS[kind]
    found = await client.get(f"{base}/namespaces/{namespace}/{plural}/{name}")
    pod = found if kind == "pod" else pod_of({**found, "kind": {"cronjob": "CronJob"}.get(kind, kind)})
    return _Subject(namespace, pod or {})


async def _verdict(client: Client, match: Match, subject: _Subject, istio_namespace: str) -> Match:
    """What the control plane itself says, once it is asked."""
    if not match.selected:
        return match
    config = await _data(client, istio_namespace, injector_name(match.revision))
    if config is None:
        return match
    injection, _ = parse_injection(config.get(CONFIG_KEY, ""), config.get(VALUES_KEY, ""))
    if injection is None:
        return msgspec.structs.replace(match, reason=f"{match.reason}; but the injection's configuration is wrong")
    decision = decide(subject.pod, subject.namespace, injection)
    if not decision.inject:
        return msgspec.structs.replace(match, selected=False, reason=f"{match.reason}, but {decision.reason}")
    if subject.only_labels:
        return match
    mesh = await _data(client, istio_namespace, config_map_name(match.revision)) or {}
    parsed, _ = parse_mesh_config(mesh.get(MESH_KEY, ""))
    try:
        inject(subject.pod, Facts(namespace=subject.namespace), parsed or MeshConfig(), injection)
    except Refused as refused:
        return msgspec.structs.replace(match, selected=False, reason=f"{match.reason}, but pods are refused: {refused}")
    return match


async def _data(client: Client, namespace: str, name: str) -> dict[str, str] | None:
    """None where it is not there: the control plane is in another cluster."""
    answer = await client.send("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    return dict(answer.body.get("data") or {}) if answer.status == 200 else None
