"""`lateen verify-install`: whether what is installed is as it should be."""

from __future__ import annotations

import click

from lateen.cli.install_target import Target, targeted
from lateen.cli.manifest import rendered
from lateen.install.cluster.places import described as named
from lateen.install.cluster.requests import ClusterApi
from lateen.install.cluster.verification import verify, verify_installed
from lateen.install.names import owner


@click.command(short_help="Judge what is installed.")
@targeted
def verify_install(target: Target) -> None:
    """Judge what is installed. With -f or --set: whether everything that is described is there, as described, and
    ready. Without: whether everything that an installation has made (of --revision, or all) is ready. Exits with 1 if
    not.

    \b
    Examples:
      lateen verify-install
      lateen verify-install --set profile=demo
      lateen verify-install -f mesh.yaml --revision canary
    """
    if target.is_described:
        objects = rendered(target.operator(quiet=True))
        count = target.run(lambda api: verify(api, objects))
        click.echo(f"{count} objects are as described and ready.")
        return
    target.run(lambda api: _installed(api, target.revision))


async def _installed(api: ClusterApi, revision: str) -> None:
    chosen = owner(revision) if revision else ""
    found = await verify_installed(api, chosen)
    for each in found:
        click.echo(f"{named(each)}: good")
    click.echo(f"{len(found)} objects are ready.")
