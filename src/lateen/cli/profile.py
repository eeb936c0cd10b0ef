"""`lateen profile`: the profiles that ship."""

from __future__ import annotations

from typing import Any

import click

from lateen.cli.install_options import resolved
from lateen.cli.later_commands import Commands
from lateen.cli.output import print_data
from lateen.install.explicit import explicit
from lateen.install.profiles import PROFILES


@click.group(cls=Commands, short_help="The profiles that ship.")
def profile() -> None:
    """What `--set profile=NAME` stands for."""


@profile.command("list", short_help="Their names.")
def list_() -> None:
    """Names of the profiles."""
    for name in PROFILES:
        click.echo(name)


@profile.command(short_help="All values of one.")
@click.argument("name", default="default")
@click.option("-f", "--filename", "files", multiple=True, metavar="FILE|-", help="An IstioOperator over it.")
@click.option("-p", "--config-path", default="", metavar="PATH", help="A part: components.pilot, values.global.proxy.")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), default="yaml", show_default=True)
def dump(name: str, files: tuple[str, ...], config_path: str, output: str) -> None:
    """Print a profile as an IstioOperator with every value that is honoured, defaults included.

    \b
    Examples:
      lateen profile dump demo
      lateen profile dump demo --config-path components.ingressGateways
    """
    spec = explicit(resolved(files, (f"profile={name}",), "", quiet=True))
    if not config_path:
        print_data({"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "spec": spec}, output)
        return
    print_data(_part(spec, config_path), output)


def _part(spec: Any, path: str) -> Any:
    here = spec
    for step in path.removeprefix("spec.").split("."):
        if not isinstance(here, dict) or step not in here:
            raise click.UsageError(f"--config-path: there is no {step!r} in {path!r}")
        here = here[step]
    return here
