"""What is to be installed and in which cluster: the options of commands that work on installations, and their frame."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from lateen.cli.cluster_access import access, cluster_options
from lateen.cli.duration import Duration
from lateen.cli.install_options import described, resolved
from lateen.install.cluster.applying import Terms
from lateen.install.cluster.installing import Options
from lateen.install.cluster.requests import ClusterApi, InstallError
from lateen.install.progress import Progress
from lateen.install.values.operator import Operator
from lateen.sources.kubernetes.client import Client

C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")


class Target:
    """What the options name."""

    def __init__(
        self,
        files: tuple[str, ...],
        flags: tuple[str, ...],
        revision: str,
        namespace: str,
        kubeconfig: Path | None,
        context: str,
    ) -> None:
        self.revision = revision
        self.has_files = bool(files)
        self.is_described = bool(files or flags)
        """By -f or --set."""
        self._files = files
        self._flags = flags
        self._namespace = namespace
        self._kubeconfig = kubeconfig
        self._context = context

    def operator(self, *, quiet: bool = False) -> Operator:
        """What is described. Faults go to standard error (if `quiet`, errors alone). Raises ClickException."""
        return resolved(self._files, self._flags, self.revision, self._namespace, quiet=quiet)

    def run(self, work: Callable[[ClusterApi], Coroutine[Any, Any, T]]) -> T:
        """Work against the cluster. Raises ClickException for what goes wrong there."""
        to = access(self._kubeconfig, self._context)

        async def connected() -> T:
            async with Client(to, user_agent="lateen-install") as client:
                return await work(client)

        try:
            return asyncio.run(connected())
        except (InstallError, OSError) as problem:
            raise click.ClickException(str(problem) or type(problem).__name__) from problem


def targeted(command: C) -> C:
    """-f, --set, --revision, --istioNamespace, --kubeconfig and --context, as the argument `target`."""

    @described
    @click.option("-i", "--istioNamespace", "namespace", default="", help="The control plane's.  [istio-system]")
    @cluster_options
    @wraps(command)
    def gathered(
        *arguments: Any,
        files: tuple[str, ...],
        flags: tuple[str, ...],
        revision: str,
        namespace: str,
        kubeconfig: Path | None,
        context: str,
        **others: Any,
    ) -> Any:
        return command(*arguments, target=Target(files, flags, revision, namespace, kubeconfig, context), **others)

    found: Any = gathered
    typed: C = found
    return typed


def applying(force_help: str) -> Callable[[C], C]:
    """--dry-run, --force and --readiness-timeout, as the argument `options`; -y as `yes`."""

    def decorated(command: C) -> C:
        @click.option("-y", "--skip-confirmation", "yes", is_flag=True, help="Do not ask.")
        @click.option("--dry-run", is_flag=True, help="Let the cluster judge everything and change nothing.")
        @click.option("--force", is_flag=True, help=force_help)
        @click.option(
            "--readiness-timeout",
            type=Duration(above_zero=True),
            default="5m0s",
            show_default=True,
            help="How long a component may take until it is ready.",
        )
        @wraps(command)
        def gathered(*arguments: Any, dry_run: bool, force: bool, readiness_timeout: float, **others: Any) -> Any:
            return command(*arguments, options=Options(Terms(force, dry_run), readiness_timeout), **others)

        found: Any = gathered
        typed: C = found
        return typed

    return decorated


def confirm(question: str) -> None:
    """Ends the command without a yes, which may come through a pipe, too."""
    try:
        agreed = click.confirm(question)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.ClickException("there is nobody to ask: say -y (--skip-confirmation)") from None
    if not agreed:
        click.echo("Nothing is done.")
        raise click.exceptions.Exit(1)


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
