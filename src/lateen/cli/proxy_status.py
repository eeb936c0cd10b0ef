"""`lateen proxy-status`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lateen.cli.inspection_options import ADMIN_PORT, Place, located
from lateen.cli.output import print_data
from lateen.inspection.comparison import compare
from lateen.inspection.control_planes import ask_all, ask_first, control_planes
from lateen.inspection.dump import BadDump, Dump, parse_dump
from lateen.inspection.pods import NoPod, find_proxy
from lateen.inspection.port_forward import ask
from lateen.inspection.sync_status import SyncStatus, statuses, summary
from lateen.sources.kubernetes.client import Client


@click.command("proxy-status", short_help="Whether proxies have what they were sent.")
@click.argument("pod", required=False, metavar="[[TYPE/]NAME[.NAMESPACE]]")
@located
@click.option("--file", "file", type=click.Path(allow_dash=True, path_type=Path), help="Envoy's dump of POD, saved.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@click.option("-v", "--verbosity", type=click.IntRange(0, 1), default=0, help="1: a column for each type.")
@click.option("-r", "--revision", default="", help="Of the control planes with this name alone.")
@click.option("--proxy-admin-port", "port", default=ADMIN_PORT, show_default=True, help="Of Envoy.")
def proxy_status(
    pod: str | None, place: Place, file: Path | None, output: str, verbosity: int, revision: str, port: int
) -> None:
    """Whether each proxy that is connected has what it was sent; with POD, how what it has differs from that.

    A proxy that is missing is not connected. STALE: it has not acknowledged what it was sent.
    """
    if pod is None:
        if file is not None:
            raise click.UsageError("--file needs POD: whose dump it is")
        found = place.run(lambda client, _: _statuses(client, place, revision))
        if output == "table":
            click.echo(summary(found, wide=verbosity > 0), nl=False)
        else:
            print_data([{**each._asdict()} for each in found], output)
        return
    if output != "table":
        raise click.UsageError("-o is for the list of all proxies: what is printed of one is a difference")
    for part in place.run(lambda client, namespace: _difference(client, pod, namespace, place, revision, file, port)):
        click.echo(part, nl=False)


async def _statuses(client: Client, place: Place, revision: str) -> list[SyncStatus]:
    pages = await ask_all(client, await control_planes(client, place.istio_namespace, revision), "syncz")
    return statuses({each.name: page for each, page in pages.items()}, place.given_namespace)


async def _difference(
    client: Client, text: str, namespace: str, place: Place, revision: str, file: Path | None, port: int
) -> list[str]:
    pod = await find_proxy(client, text, namespace)
    instances = await control_planes(client, place.istio_namespace, revision)
    answer = await ask_first(client, instances, f"config_dump?proxyID={pod}")
    if answer is None:
        names = ", ".join(each.name for each in instances)
        raise NoPod(f"{pod} is not connected to {names}: `kubectl logs {pod.name} -n {pod.namespace} -c istio-proxy`")
    held = await ask(client, pod, port, "/config_dump") if file is None else _read(file)
    return list(compare(_parsed(answer[1], f"what {answer[0]} says"), _parsed(held, f"the dump of {pod}")))


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def _parsed(content: bytes, what: str) -> Dump:
    try:
        return parse_dump(content)
    except BadDump as problem:
        raise BadDump(f"{what}: {problem}") from problem
