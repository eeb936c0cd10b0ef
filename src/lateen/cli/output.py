"""Printing for people and for scripts: tables that fit kubectl's habits, JSON and YAML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click
import yaml


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Left-aligned columns three spaces apart, the header in capitals."""
    lines = [[h.upper() for h in header], *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    for line in lines:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_data(data: Any, form: str) -> None:
    """`form` is `json` or `yaml`."""
    if form == "json":
        click.echo(json.dumps(data, indent=2))
    else:
        click.echo(yaml.safe_dump(data, sort_keys=False), nl=False)
