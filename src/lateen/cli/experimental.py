"""`lateen experimental`: commands whose form may still change."""

from __future__ import annotations

import click

from lateen.cli.check_inject import check_inject
from lateen.cli.later_commands import Commands


@click.group(cls=Commands, short_help="Commands whose form may still change.")
def experimental() -> None:
    """Commands whose form may still change."""


experimental.add_command(check_inject)
