"""`lateen manifest`: what would be installed, as YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import yaml

from lateen.cli.install_options import described, resolved
from lateen.cli.later_commands import Commands
from lateen.install.paths import PathError
from lateen.install.rendering.objects import Rendered, render
from lateen.install.values.operator import Operator


@click.group(cls=Commands, short_help="What would be installed, as YAML.")
def manifest() -> None:
    """The objects that an installation consists of, without any cluster."""


@manifest.command(short_help="Print the objects.")
@described
@click.option("-i", "--istioNamespace", "namespace", default="", help="The control plane's.  [istio-system]")
@click.option(
    "--component",
    "components",
    multiple=True,
    metavar="NAME",
    help="Base, Pilot, IngressGateways or EgressGateways alone. Repeatable.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="A directory to write a file for each component to.",
)
def generate(
    files: tuple[str, ...],
    flags: tuple[str, ...],
    revision: str,
    namespace: str,
    components: tuple[str, ...],
    output: Path | None,
) -> None:
    """Print all objects of an installation as YAML, in the order in which they are to be applied.

    \b
    Examples:
      lateen manifest generate
      lateen manifest generate --set profile=demo | kubectl apply --server-side -f -
      lateen manifest generate -f mesh.yaml --component Pilot
      lateen manifest generate --set profile=demo -o out/
    """
    found = rendered(resolved(files, flags, revision, namespace))
    if components:
        known = {each.component for each in found}
        for name in components:
            if name not in known:
                raise click.UsageError(f"--component: there is no {name!r} here; there are: {', '.join(sorted(known))}")
        found = tuple(each for each in found if each.component in components)
    if output is None:
        click.echo(_text(each.object for each in found), nl=False)
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
        for component in dict.fromkeys(each.component for each in found):
            path = output / f"{component}.yaml"
            path.write_text(_text(each.object for each in found if each.component == component))
            click.echo(str(path))
    except OSError as problem:
        raise click.ClickException(f"{problem.filename}: {problem.strerror}") from problem


def rendered(operator: Operator) -> tuple[Rendered, ...]:
    """Raises ClickException for overlays that do not fit."""
    try:
        return render(operator)
    except PathError as problem:
        raise click.ClickException(str(problem)) from problem


def _text(objects: Any) -> str:
    return "".join(f"---\n{yaml.safe_dump(each, sort_keys=False)}" for each in objects)
