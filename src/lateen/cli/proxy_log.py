"""`lateen proxy-config log`: what Envoy logs, and how much."""

from __future__ import annotations

import re
from typing import Final

import click
import msgspec

from lateen.cli.inspection_options import ADMIN_PORT, Alias, Place, located
from lateen.inspection.pods import NoPod, find_pods, select_pods
from lateen.inspection.port_forward import Pod, ask
from lateen.inspection.printable import printable_lines
from lateen.sources.kubernetes.client import ApiError, Client

_LEVELS: Final = ("trace", "debug", "info", "warning", "error", "critical", "off")
_DEFAULT: Final = "warning"
_LOGGER: Final = re.compile(r"[a-z0-9_.]+")


@click.command(cls=Alias, aliases=("o",), short_help="What Envoy logs, and how much.")
@click.argument("pod", required=False, metavar="[TYPE/]NAME[.NAMESPACE]")
@located
@click.option(
    "--level", default="", metavar="LEVEL|LOGGER:LEVEL,...", help=f"From now on; one of {', '.join(_LEVELS)}."
)
@click.option("-r", "--reset", is_flag=True, help="What the installation says, or else warning.")
@click.option("-l", "--selector", default="", help="Pods by labels, instead of by name.")
@click.option("--proxy-admin-port", "port", default=ADMIN_PORT, show_default=True, help="Of Envoy.")
def log(pod: str | None, place: Place, level: str, reset: bool, selector: str, port: int) -> None:
    """What Envoy logs, and how much, of every pod that is meant; with --level, from now on."""
    if (pod is None) == (not selector):
        raise click.UsageError("either a pod or --selector is needed")
    if reset and level:
        raise click.UsageError("--level and --reset exclude each other")
    queries = _queries(level)

    async def run(client: Client, namespace: str) -> list[str]:
        if pod is not None:
            pods = await find_pods(client, pod, namespace)
        else:
            pods = await select_pods(client, namespace, selector)
        if not pods:
            raise NoPod(f"no running pod in namespace {namespace} has the labels {selector}")
        asked = [f"level={await _installed(client, place.istio_namespace)}"] if reset else queries
        return [f"{each}:\n{await _set(client, each, port, asked)}" for each in pods]

    for part in place.run(run):
        click.echo(part, nl=False)


async def _set(client: Client, pod: Pod, port: int, queries: list[str]) -> str:
    answer = b""
    for query in queries or [""]:
        answer = await ask(client, pod, port, f"/logging?{query}" if query else "/logging", method="POST")
    return printable_lines(answer.decode(errors="replace"))


async def _installed(client: Client, namespace: str) -> str:
    """global.proxy.logLevel, which the injector's ConfigMap has; its components' levels are left aside."""
    try:
        found = await client.get(f"/api/v1/namespaces/{namespace}/configmaps/istio-sidecar-injector")
        values = msgspec.json.decode((found.get("data") or {}).get("values") or "{}")
        level = str(values["global"]["proxy"]["logLevel"])
    except (ApiError, msgspec.DecodeError, KeyError, TypeError):
        return _DEFAULT
    return level if level in _LEVELS else _DEFAULT


def _queries(text: str) -> list[str]:
    """Of Envoy's /logging: the level of all first, then those of loggers."""
    everything, single = [], []
    for part in filter(None, text.split(",")):
        logger, _, level = part.rpartition("::")[2].replace("=", ":").rpartition(":")
        level = "warning" if level == "warn" else level
        if level not in _LEVELS:
            raise click.BadParameter(f"{part!r}: the level is one of {', '.join(_LEVELS)}", param_hint="--level")
        if logger and not _LOGGER.fullmatch(logger):
            raise click.BadParameter(f"{part!r}: {logger!r} is no logger's name", param_hint="--level")
        if logger and logger != "level":
            single.append(f"{logger}={level}")
        else:
            everything = [f"level={level}"]
    return everything + single
