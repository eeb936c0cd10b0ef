"""`lateen upgrade`: a control plane of this version in place of an older one."""

from __future__ import annotations

import click

from lateen import __version__
from lateen.cli.install import tell
from lateen.cli.install_target import Target, applying, confirm, progress, targeted
from lateen.cli.manifest import rendered
from lateen.install.cluster.installing import Options
from lateen.install.cluster.installing import install as install_in
from lateen.install.cluster.requests import ClusterApi, InstallError
from lateen.install.cluster.versions import control_planes, refusal
from lateen.install.values.operator import Operator


@click.command(short_help="Upgrade what is installed.")
@targeted
@applying("Whatever the versions are; and take over fields that somebody else has set.")
def upgrade(target: Target, yes: bool, options: Options) -> None:
    """Put this version in place of the one that is installed. Say the same -f and --set as when it was installed: what
    is not described any more is removed. An older version, or a step over a major one, is refused.

    Proxies keep the version that they were started with until their pods are started again:
    `kubectl rollout restart deployment -n NAMESPACE`.

    \b
    Examples:
      lateen upgrade -f mesh.yaml --dry-run
      lateen upgrade --set profile=demo -y
      lateen upgrade --revision canary -f mesh.yaml
    """
    operator = target.operator()
    target.run(lambda api: _upgrade(api, operator, options, yes))


async def _upgrade(api: ClusterApi, operator: Operator, options: Options, yes: bool) -> None:
    wanted = operator.revision or "default"
    found = [
        each for each in await control_planes(api) if each.revision == wanted and each.namespace == operator.namespace
    ]
    if not found:
        raise InstallError(f"there is no control plane of revision {wanted} in {operator.namespace}: `lateen install`")
    why = refusal(found[0].version, __version__)
    if why and not options.terms.force:
        raise InstallError(f"{why}; --force does it all the same")
    click.echo(f"Revision {wanted}: from version {found[0].version or 'unknown'} to {__version__}.")
    if not options.terms.dry_run and not yes:
        confirm("Proceed?")
    tell(await install_in(api, operator, rendered(operator), options, progress()), options)
