"""Which cluster a command works on: --kubeconfig and --context."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from lateen.settings import read_settings
from lateen.sources.kubernetes.access import Access, AccessError, from_kubeconfig, in_cluster

F = TypeVar("F", bound=Callable[..., Any])


def cluster_options(command: F) -> F:
    """-c, --kubeconfig and --context, as the arguments `kubeconfig` and `context`."""
    for option in (
        click.option("--context", default="", help="A context of the kubeconfig other than its current one."),
        click.option(
            "-c",
            "--kubeconfig",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Which cluster.  [default: KUBECONFIG, or ~/.kube/config]",
        ),
    ):
        command = option(command)
    return command


def access(kubeconfig: Path | None, context: str) -> Access:
    """To the cluster that is meant. Raises ClickException."""
    path = kubeconfig or read_settings().kubeconfig
    try:
        if not path.exists() and kubeconfig is None and not context:
            try:
                return in_cluster()
            except AccessError:
                raise AccessError(f"there is no kubeconfig at {path}: name one with --kubeconfig") from None
        return from_kubeconfig(path, context)
    except AccessError as problem:
        raise click.ClickException(str(problem)) from problem
