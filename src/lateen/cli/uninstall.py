"""`lateen uninstall`: takes away what `lateen install` has made."""

from __future__ import annotations

import click

from lateen.cli.install_target import Target, confirm, progress, targeted
from lateen.cli.manifest import rendered
from lateen.install.cluster.places import described
from lateen.install.cluster.requests import ClusterApi
from lateen.install.cluster.uninstalling import (
    Removal,
    left_by_the_control_plane,
    of_description,
    of_everything,
    of_revision,
    resources_of_users,
)
from lateen.install.cluster.uninstalling import uninstall as uninstall_in
from lateen.install.values.operator import Operator

_SHOWN = 3


@click.command(short_help="Take away what was installed.")
@targeted
@click.option("--purge", is_flag=True, help="All revisions, the definitions, and with them all resources of the mesh.")
@click.option("-y", "--skip-confirmation", "yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def uninstall(target: Target, purge: bool, yes: bool, dry_run: bool) -> None:
    """Take away one revision (--revision; the one without a name is default), what a file describes (-f), or
    everything (--purge). Without --purge the definitions and the resources of the mesh stay.

    \b
    Examples:
      lateen uninstall --purge -y
      lateen uninstall --revision canary
      lateen uninstall -f mesh.yaml
    """
    if purge and (target.is_described or target.revision):
        raise click.UsageError("--purge takes everything away: it goes with no choice (-f, --set, --revision)")
    if not (purge or target.has_files or target.revision):
        raise click.UsageError("say what: --revision NAME (default for the one without a name), -f FILE, or --purge")
    operator = target.operator(quiet=True) if target.has_files else None
    target.run(lambda api: _uninstall(api, operator, target.revision, purge, yes, dry_run))


async def _uninstall(
    api: ClusterApi, operator: Operator | None, revision: str, purge: bool, yes: bool, dry_run: bool
) -> None:
    removal = await _removal(api, operator, revision, purge)
    if not removal.objects and not removal.managed:
        what = "installed here" if purge else f"of revision {revision}" if operator is None else "of what is described"
        click.echo(f"There is nothing {what}.")
        return
    if dry_run:
        for each in (*removal.objects, *(await left_by_the_control_plane(api, removal) if removal.purge else ())):
            click.echo(f"would remove {described(each)}")
        for name in removal.namespaces if removal.purge else ():
            click.echo(f"would remove Namespace {name}, if an installation has made it and nothing else is in it")
        return
    if removal.injected:
        some = ", ".join(removal.injected[:_SHOWN]) + (", ..." if len(removal.injected) > _SHOWN else "")
        click.echo(
            f"{len(removal.injected)} pods still have proxies of it ({some}): they go on as they are, without changes "
            "and new certificates, until they are injected again or started without."
        )
    if purge and (count := await resources_of_users(api)):
        click.echo(f"{count} resources of the mesh (VirtualServices, Gateways, ...) go with their definitions.")
    if not yes:
        confirm(f"This removes {len(removal.objects)} objects. Proceed?")
    await uninstall_in(api, removal, progress())
    click.echo("Uninstalled.")


async def _removal(api: ClusterApi, operator: Operator | None, revision: str, purge: bool) -> Removal:
    if purge:
        return await of_everything(api)
    if operator is not None:
        return await of_description(api, rendered(operator), operator.revision)
    return await of_revision(api, revision)
