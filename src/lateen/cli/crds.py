"""`lateen crds`: the CustomResourceDefinitions of the mesh's kinds."""

from __future__ import annotations

import click
import yaml

from lateen.api.crds import crds as definitions
from lateen.cli.output import print_data


@click.command(short_help="Print the CustomResourceDefinitions.")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), default="yaml", show_default=True)
def crds(output: str) -> None:
    """Print the CustomResourceDefinitions of all the mesh's kinds, for a cluster that shall have them.

    \b
    Examples:
      lateen crds | kubectl apply -f -
      lateen crds -o json | jq -r '.items[].metadata.name'
    """
    found = definitions()
    if output == "json":
        print_data({"apiVersion": "v1", "kind": "List", "items": found}, output)
    else:
        click.echo(yaml.safe_dump_all(found, sort_keys=False), nl=False)
