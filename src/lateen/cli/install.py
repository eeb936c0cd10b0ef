"""`lateen install`: puts what is described into a cluster."""

from __future__ import annotations

import click

from lateen.cli.install_options import with_revision_tag
from lateen.cli.install_target import Target, applying, confirm, progress, targeted
from lateen.cli.manifest import rendered
from lateen.install.cluster.applying import Change
from lateen.install.cluster.installing import Options, Report, needs_default_tag
from lateen.install.cluster.installing import install as install_in
from lateen.install.cluster.requests import ClusterApi
from lateen.install.cluster.verification import verify
from lateen.install.values.operator import Operator


@click.command(short_help="Install the mesh.")
@targeted
@applying("Take over fields that somebody else has set.")
@click.option("--verify", "verifies", is_flag=True, help="Compare what is there with what was asked for afterwards.")
def install(target: Target, yes: bool, options: Options, verifies: bool) -> None:
    """Install the mesh, or change what is installed: applies what is missing or different, waits until it is ready, and
    removes what an earlier installation of the same revision had and this one does not.

    \b
    Examples:
      lateen install -y
      lateen install --set profile=demo -y
      lateen install -f mesh.yaml --set meshConfig.accessLogFile=/dev/stdout
      lateen install --revision canary --set profile=minimal
    """
    operator = target.operator()
    dry_run = options.terms.dry_run
    if not dry_run and not yes:
        confirm(f"This will install the {_profile(operator)} into the cluster. Proceed?")
    target.run(lambda api: _install(api, operator, options, verifies and not dry_run))


async def _install(api: ClusterApi, operator: Operator, options: Options, verifies: bool) -> None:
    if await needs_default_tag(api, operator):
        operator = with_revision_tag(operator, "default")
        click.echo(f"Revision {operator.revision} is the only one: it injects istio-injection=enabled (tag default).")
    objects = rendered(operator)
    tell(await install_in(api, operator, objects, options, progress()), options)
    if verifies:
        await verify(api, objects)
        click.echo("Verified: everything is as described.")


def tell(report: Report, options: Options) -> None:
    """The last line."""
    if options.terms.dry_run:
        click.echo("Nothing was changed (--dry-run).")
    elif all(each.change is Change.UNCHANGED for each in report.applied) and not report.removed:
        click.echo("Everything was as described already.")
    else:
        click.echo("The mesh is installed.")


def _profile(operator: Operator) -> str:
    what = f"profile {operator.profile}"
    return f"{what} as revision {operator.revision}" if operator.revision else what
