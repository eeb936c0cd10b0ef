"""The root of the command line: wiring only."""

from __future__ import annotations

import click

from lateen import __version__
from lateen.cli.cluster import cluster
from lateen.cli.crds import crds
from lateen.cli.istiod import istiod
from lateen.cli.translate import translate
from lateen.cli.validate import validate


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lateen")
def main() -> None:
    """Lateen: a service mesh that speaks Istio's APIs, on stock Envoy."""


main.add_command(cluster)
main.add_command(crds)
main.add_command(istiod)
main.add_command(translate)
main.add_command(validate)


if __name__ == "__main__":
    main()
