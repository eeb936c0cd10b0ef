"""`lateen install`: the mesh, in a cluster."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from lateen.api.schema.duration import parse_duration
from lateen.cli.install_options import access, described, located, resolved, with_revision_tag
from lateen.cli.manifest import rendered
from lateen.install.cluster.applying import Change, Terms
from lateen.install.cluster.installing import Options, Report, needs_default_tag
from lateen.install.cluster.installing import install as install_in
from lateen.install.cluster.requests import ClusterApi, InstallError
from lateen.install.cluster.verification import verify
from lateen.install.progress import Progress
from lateen.install.values.operator import Operator
from lateen.sources.kubernetes.access import Access
from lateen.sources.kubernetes.client import Client

T = TypeVar("T")


class Seconds(click.ParamType[float]):
    """A duration as Go writes them: `5m0s`."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            seconds = parse_duration(value).seconds
        except ValueError as problem:
            self.fail(str(problem), param, ctx)
        if seconds <= 0:
            self.fail("expected a duration above zero", param, ctx)
        return seconds


@click.command(short_help="Install the mesh.")
@described
@located
@click.option("-y", "--skip-confirmation", "yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Let the cluster judge everything and change nothing.")
@click.option("--force", is_flag=True, help="Take over fields that somebody else has set.")
@click.option("--verify", "verifies", is_flag=True, help="Compare what is there with what was asked for afterwards.")
@click.option(
    "--readiness-timeout",
    type=Seconds(),
    default="5m0s",
    show_default=True,
    help="How long a component may take until it is ready.",
)
def install(
    files: tuple[str, ...],
    flags: tuple[str, ...],
    revision: str,
    kubeconfig: Path | None,
    context: str,
    namespace: str,
    yes: bool,
    dry_run: bool,
    force: bool,
    verifies: bool,
    readiness_timeout: float,
) -> None:
    """Install the mesh, or change what is installed: applies what is missing or different, waits until it is ready, and
    removes what an earlier installation of the same revision had and this one does not.

    \b
    Examples:
      lateen install -y
      lateen install --set profile=demo -y
      lateen install -f mesh.yaml --set meshConfig.accessLogFile=/dev/stdout
      lateen install --revision canary --set profile=minimal
    """
    operator = resolved(files, flags, revision, namespace)
    options = Options(Terms(force=force, dry_run=dry_run), readiness_timeout)
    if not dry_run and not yes:
        confirm(f"This will install the {_profile(operator)} into the cluster. Proceed?")
    run(access(kubeconfig, context), lambda api: _install(api, operator, options, verifies and not dry_run))


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


def confirm(question: str) -> None:
    """Ends the command without a yes."""
    if not sys.stdin.isatty():
        raise click.ClickException("there is nobody to ask: say -y (--skip-confirmation)")
    if not click.confirm(question):
        click.echo("Nothing is done.")
        raise click.exceptions.Exit(1)


def run(to: Access, work: Callable[[ClusterApi], Coroutine[Any, Any, T]]) -> T:
    """Work against a cluster. What goes wrong there ends the command."""

    async def connected() -> T:
        async with Client(to, user_agent="lateen-install") as client:
            return await work(client)

    try:
        return asyncio.run(connected())
    except (InstallError, OSError) as problem:
        raise click.ClickException(str(problem) or type(problem).__name__) from problem


def progress() -> Progress:
    """To standard output, as it can be read there."""
    terminal = sys.stdout.isatty()

    def write(text: str, finished: bool) -> None:
        if not terminal:
            click.echo(text)
            return
        width = shutil.get_terminal_size().columns
        click.echo(f"\r\x1b[2K{text if finished else text[: width - 1]}", nl=finished)

    return Progress(write, is_terminal=terminal)
