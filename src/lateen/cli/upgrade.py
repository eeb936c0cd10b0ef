"""`lateen upgrade`: a control plane of this version in place of an older one."""

from __future__ import annotations

from pathlib import Path

import click

from lateen import __version__
from lateen.cli.install import Seconds, confirm, progress, run, tell
from lateen.cli.install_options import access, described, located, resolved
from lateen.cli.manifest import rendered
from lateen.install.cluster.applying import Terms
from lateen.install.cluster.installing import Options
from lateen.install.cluster.installing import install as install_in
from lateen.install.cluster.requests import ClusterApi, InstallError
from lateen.install.cluster.versions import control_planes, refusal
from lateen.install.values.operator import Operator


@click.command(short_help="Upgrade what is installed.")
@described
@located
@click.option("-y", "--skip-confirmation", "yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Let the cluster judge everything and change nothing.")
@click.option("--force", is_flag=True, help="Whatever the versions are; and take over fields of others.")
@click.option(
    "--readiness-timeout",
    type=Seconds(),
    default="5m0s",
    show_default=True,
    help="How long a component may take until it is ready.",
)
def upgrade(
    files: tuple[str, ...],
    flags: tuple[str, ...],
    revision: str,
    kubeconfig: Path | None,
    context: str,
    namespace: str,
    yes: bool,
    dry_run: bool,
    force: bool,
    readiness_timeout: float,
) -> None:
    """Put this version in place of the one that is installed. Say the same -f and --set as when it was installed: what
    is not described any more is removed. An older version, or a step over a major one, is refused.

    Proxies keep the version that they were started with until their pods are started again:
    `kubectl rollout restart deployment -n NAMESPACE`.
    """
    operator = resolved(files, flags, revision, namespace)
    options = Options(Terms(force=force, dry_run=dry_run), readiness_timeout)
    run(access(kubeconfig, context), lambda api: _upgrade(api, operator, options, yes))


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
