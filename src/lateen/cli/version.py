"""`lateen version`."""

from __future__ import annotations

import asyncio

import click

from lateen import __version__
from lateen.cli.inspection_options import Place, located
from lateen.cli.output import print_data
from lateen.inspection.control_planes import ask_all, control_planes, version_of
from lateen.inspection.sync_status import statuses
from lateen.inspection.versions import Versions, data, long, short
from lateen.sources.kubernetes.client import Client


@click.command(short_help="Versions of this program, of control planes and of proxies.")
@located
@click.option("--remote/--no-remote", default=True, show_default=True, help="Ask the cluster, too.")
@click.option("-s", "--short/--long", "is_short", default=True, help="Versions and counts, or every proxy by name.")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Print data for scripts.")
@click.option("-r", "--revision", default="", help="Of the control planes with this name alone.")
def version(place: Place, remote: bool, is_short: bool, output: str | None, revision: str) -> None:
    """Versions of this program, of the control planes and of the proxies that are connected to them.

    Where there is no cluster or no control plane, standard error says so, and the rest is printed.
    """
    found = Versions(__version__)
    if remote:
        try:
            found = place.run(lambda client, _: _remote(client, place.istio_namespace, revision))
        except click.ClickException as problem:
            click.echo(problem.message, err=True)
    if output:
        print_data(data(found, remote=remote), output)
    else:
        click.echo((short if is_short else long)(found, remote=remote), nl=False)


async def _remote(client: Client, namespace: str, revision: str) -> Versions:
    instances = await control_planes(client, namespace, revision)
    pages, numbers = await asyncio.gather(
        ask_all(client, instances, "syncz"), asyncio.gather(*(version_of(client, each) for each in instances))
    )
    proxies = statuses({each.name: page for each, page in pages.items()})
    return Versions(
        __version__,
        tuple((each.name, number) for each, number in zip(instances, numbers, strict=True)),
        tuple((each.name, each.version) for each in proxies),
    )
