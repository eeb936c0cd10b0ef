"""Options and the frame of commands that look at proxies and control planes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from lateen.cli.cluster_access import access, cluster_options
from lateen.cli.later_commands import Commands
from lateen.cli.leading_options import moved
from lateen.inspection.dump import BadDump
from lateen.inspection.pods import NoPod
from lateen.inspection.port_forward import PodUnreachable
from lateen.inspection.printable import printable_lines
from lateen.sources.kubernetes.access import AccessError
from lateen.sources.kubernetes.client import ApiError, Client

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

ISTIO_NAMESPACE: Final = "istio-system"
ADMIN_PORT: Final = 15000


class Place:
    """Which cluster, and which namespaces in it."""

    def __init__(self, kubeconfig: Path | None, context: str, namespace: str, istio_namespace: str) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self.given_namespace = namespace
        """Of -n; empty where it is not given."""
        self.istio_namespace = istio_namespace

    def run(self, task: Callable[[Client, str], Awaitable[T]]) -> T:
        """What a task makes of a client and of the namespace that is meant. Raises ClickException."""
        found = access(self._kubeconfig, self._context)

        async def connected() -> T:
            async with Client(found) as client:
                return await task(client, self.given_namespace or found.namespace)

        try:
            return asyncio.run(connected())
        except (NoPod, PodUnreachable, BadDump, AccessError) as problem:
            raise click.ClickException(printable_lines(str(problem))) from problem
        except ApiError as problem:
            raise click.ClickException(f"the API server at {found.server} says: {problem}") from problem
        except (ConnectionError, TimeoutError) as problem:
            raise click.ClickException(f"the API server at {found.server} does not answer: {problem}") from problem
        except OSError as problem:
            raise click.ClickException(str(problem)) from problem


def located(command: F) -> F:
    """--kubeconfig, --context, --namespace, --istioNamespace, as the argument `place`."""

    @cluster_options
    @click.option("-n", "--namespace", default="", help="Of the pod.  [default: the context's]")
    @click.option(
        "-i",
        "--istioNamespace",
        "istio_namespace",
        default=ISTIO_NAMESPACE,
        show_default=True,
        help="The control plane's.",
    )
    @wraps(command)
    def gathered(
        *arguments: Any, kubeconfig: Path | None, context: str, namespace: str, istio_namespace: str, **others: Any
    ) -> Any:
        return command(*arguments, place=Place(kubeconfig, context, namespace, istio_namespace), **others)

    found: Any = gathered
    typed: F = found
    return typed


class Aliased(Commands):
    """A group whose commands have other names, too: `aliases` of a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, moved(args))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found is None:
            names = (name for name, command in self.commands.items() if cmd_name in getattr(command, "aliases", ()))
            found = next((self.commands[name] for name in names), None)
        return found


class Alias(click.Command):
    """A command with other names."""

    def __init__(self, *arguments: Any, aliases: tuple[str, ...] = (), **others: Any) -> None:
        super().__init__(*arguments, **others)
        self.aliases = aliases
