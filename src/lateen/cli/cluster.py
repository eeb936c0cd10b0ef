"""`lateen cluster`: a Kubernetes for one machine."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
import yaml

from lateen.cli.output import print_data, print_table
from lateen.cluster.images.catalog import DEFAULT_PATH, load_image
from lateen.cluster.lifecycle.down import down as take_down
from lateen.cluster.lifecycle.follow import read_log
from lateen.cluster.lifecycle.home import ClusterError, Home
from lateen.cluster.lifecycle.kubeconfig import Owner, cluster_kubeconfig
from lateen.cluster.lifecycle.progress import Lines
from lateen.cluster.lifecycle.report import ClusterReport, log_file, report
from lateen.cluster.lifecycle.up import Request
from lateen.cluster.lifecycle.up import up as bring_up
from lateen.cluster.network.commands import CommandError
from lateen.cluster.status import StatusError
from lateen.settings import Settings, read_settings

P = ParamSpec("P")
R = TypeVar("R")

_name = click.option("--name", default="local", show_default=True, help="The cluster's name.")
_output = click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Print data for scripts.")


def _explained(command: Callable[P, R]) -> Callable[P, R]:
    """Prints what went wrong as one line and exits with 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (ClusterError, CommandError, StatusError, OSError) as error:
            raise click.ClickException(str(error)) from error

    return run


def _home(settings: Settings) -> Home:
    return Home(settings.home)


def _progress(settings: Settings) -> Lines:
    return Lines(sys.stderr, colour=settings.colour)


def _prepare_root(verb: str) -> None:
    if os.geteuid() != 0:
        # sudo does not search a virtual environment for programs.
        raise ClusterError(f"network namespaces and mounts need root; run: sudo $(command -v lateen) cluster {verb}")
    # Debian's `su` leaves root without the directories of nft and ip.
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _owner(settings: Settings, kubeconfig: Path) -> Owner | None:
    """Under sudo the caller's own files are written with the caller's rights."""
    caller = settings.caller
    if caller is None or not kubeconfig.absolute().is_relative_to(caller.home):
        return None
    return Owner(caller.uid, caller.gid)


@click.group(short_help="A Kubernetes for one machine.")
def cluster() -> None:
    """A Kubernetes for one machine: API server, controllers and nodes as plain processes.

    \b
    Examples:
      lateen cluster up                        one node, context lateen-local
      lateen cluster up --name east --nodes 3
      lateen cluster up --name west --peer east
      lateen cluster down --name east
    """


@cluster.command(short_help="Bring a cluster up.")
@_name
@click.option("--nodes", type=click.IntRange(1, 100), help="How many nodes (1 for a new cluster).")
@click.option("--peer", "peers", multiple=True, help="A cluster whose pods ours reach by IP, and theirs ours.")
@click.option("--egress/--no-egress", default=None, help="Let pods reach beyond this machine. Default: they do not.")
@click.option(
    "--node-label",
    "node_labels",
    multiple=True,
    metavar="NODE:KEY=VALUE",
    help="A label of a node, by its number: 1:topology.kubernetes.io/zone=a",
)
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The kubeconfig to add the context to.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="Seconds to wait for the cluster to be ready.",
)
@_explained
def up(
    name: str,
    nodes: int | None,
    peers: tuple[str, ...],
    egress: bool | None,
    node_labels: tuple[str, ...],
    kubeconfig: Path | None,
    timeout: float,
) -> None:
    """Bring a cluster up, or what of it is down back up; add nodes or peers to one that runs.

    \b
    Examples:
      lateen cluster up
      lateen cluster up --name east --nodes 2 --node-label 1:topology.kubernetes.io/zone=a
    """
    _prepare_root("up")
    settings = read_settings()
    path = kubeconfig or settings.kubeconfig
    request = Request(
        name=name,
        nodes=nodes,
        peers=peers or None,
        egress=egress,
        node_labels=_parse_node_labels(name, node_labels) or None,
        kubeconfig=path,
        kubeconfig_owner=_owner(settings, path),
        timeout_seconds=timeout,
    )
    layout = bring_up(_home(settings), request, _progress(settings))
    click.echo(f"cluster {name} is up at {layout.api_url}; try: kubectl --context lateen-{name} get pods -A")


def _parse_node_labels(cluster_name: str, given: tuple[str, ...]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for text in given:
        number, colon, label = text.partition(":")
        key, equals, value = label.partition("=")
        if not (number.isdigit() and colon and equals and key):
            raise ClusterError(f"--node-label {text}: expected NODE:KEY=VALUE, such as 1:topology.kubernetes.io/zone=a")
        found.setdefault(f"{cluster_name}-node-{number}", {})[key] = value
    return found


@cluster.command(short_help="Take a cluster down.")
@_name
@click.option("--keep-state", is_flag=True, help="Keep the objects on disk; the next `up` continues with them.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The kubeconfig to remove the context from.")
@_explained
def down(name: str, keep_state: bool, kubeconfig: Path | None) -> None:
    """Take a cluster down and leave nothing behind: processes, namespaces, interfaces, rules, mounts, state.

    \b
    Examples:
      lateen cluster down
      lateen cluster down --name east --keep-state
    """
    _prepare_root("down")
    settings = read_settings()
    path = kubeconfig or settings.kubeconfig
    take_down(
        _home(settings),
        name,
        _progress(settings),
        kubeconfig_path=path,
        kubeconfig_owner=_owner(settings, path),
        keep_state=keep_state,
    )


@cluster.command(short_help="Show clusters and their processes.")
@click.option("--name", help="The cluster's name. Default: all clusters.")
@_output
@_explained
def status(name: str | None, output: str | None) -> None:
    """Show what runs: clusters, their processes, addresses and memory.

    \b
    Examples:
      lateen cluster status
      lateen cluster status --name east -o json
    """
    home = _home(read_settings())
    reports = [report(home, n) for n in ([name] if name else home.names())]
    if output:
        data: Any = [dataclasses.asdict(r) for r in reports]
        print_data(data[0] if name else data, output)
    elif not reports:
        hint = "" if os.geteuid() == 0 else "; those made with sudo show with: sudo $(command -v lateen) cluster status"
        click.echo(f"No clusters. Make one with: lateen cluster up{hint}")
    else:
        for position, found in enumerate(reports):
            if position:
                click.echo()
            _print_report(found)


def _print_report(found: ClusterReport) -> None:
    click.echo(f"cluster {found.name}: {'running' if found.running else 'not (wholly) running'}")
    click.echo(f"  API server      {found.api_url} (context lateen-{found.name})")
    click.echo(f"  pods            {found.pods_ipv4}")
    click.echo(f"  services        {found.services_ipv4}")
    click.echo(f"  load balancers  {found.load_balancers_ipv4}")
    if found.peers:
        click.echo(f"  peers           {', '.join(found.peers)}")
    rows = [
        (
            c.name,
            "Running" if c.pid is not None else "Stopped",
            str(c.pid or "-"),
            str(c.restarts),
            f"{c.memory_bytes >> 20}Mi" if c.memory_bytes is not None else "-",
            f"{c.uptime_seconds:.0f}s" if c.uptime_seconds is not None else "-",
        )
        for c in found.components
    ]
    print_table(("Component", "Status", "PID", "Restarts", "Memory", "Uptime"), rows)


@cluster.command(short_help="Print the log of a process.")
@_name
@click.argument("component", default="apiserver")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on as the log grows.")
@click.option(
    "--tail",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="How many of the last lines to begin with.",
)
@_explained
def logs(name: str, component: str, following: bool, tail: int) -> None:
    """Print the log of a component: apiserver, controllers, fabric, node-1, ..., supervisor.

    \b
    Examples:
      lateen cluster logs
      lateen cluster logs node-1 --name east -f
    """
    path = log_file(_home(read_settings()), name, component)
    for line in read_log(path, tail, follow=following):
        click.echo(line, nl=False)


@cluster.command(short_help="Print a kubeconfig.")
@_name
@_explained
def kubeconfig(name: str) -> None:
    """Print a kubeconfig for the cluster alone.

    \b
    Examples:
      lateen cluster kubeconfig --name east > east.conf
    """
    layout = _home(read_settings()).layout(name)
    admin = layout.kubeconfigs / "admin.conf"
    if not admin.exists():
        raise ClusterError(f"cluster {name} has no credentials yet; bring it up with: lateen cluster up --name {name}")
    click.echo(yaml.safe_dump(cluster_kubeconfig(admin, name), sort_keys=False), nl=False)


@cluster.command(
    "load-image", short_help="Map an image to a program.", context_settings={"ignore_unknown_options": True}
)
@_name
@click.option("--env", "env", multiple=True, metavar="KEY=VALUE", help="A variable of the image's environment.")
@click.option("--workdir", default="", help="The image's working directory.")
@click.option("--user", default="", help="Whom it runs as: UID or UID:GID. Default: root.")
@click.argument("image")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
@_explained
def load_image_command(
    name: str, env: tuple[str, ...], workdir: str, user: str, image: str, argv: tuple[str, ...]
) -> None:
    """Map an image reference (globs allowed) to a local program, so that pods can use it.

    \b
    Examples:
      lateen cluster load-image example.org/shop:v1 -- /opt/shop/bin/shop
      lateen cluster load-image 'example.org/tools/*' --env LANG=C -- python3 -m tools
    """
    variables: dict[str, str] = {}
    for text in env:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ClusterError(f"--env {text}: expected KEY=VALUE")
        variables[key] = value
    layout = _home(read_settings()).layout(name)
    try:
        path = load_image(layout, image, argv, env=variables, working_directory=workdir, user=user)
    except ValueError as error:
        raise ClusterError(str(error)) from error
    if shutil.which(argv[0], path=variables.get("PATH", DEFAULT_PATH)) is None:
        click.echo(f"warning: there is no program {argv[0]} here; containers of {image} will not start", err=True)
    click.echo(f"{image} -> {' '.join(argv)} ({path})")
