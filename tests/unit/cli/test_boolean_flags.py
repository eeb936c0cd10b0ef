from __future__ import annotations

import click
import pytest

from lateen.cli.boolean_flags import plain


@click.group()
def root() -> None:
    """A command line."""


@root.group()
def inner() -> None:
    """A group in it."""


@inner.command()
@click.option("-y", "--yes", is_flag=True)
@click.option("--remote/--no-remote", default=True)
@click.option("-o", "--output")
def leaf(yes: bool, remote: bool, output: str | None) -> None:
    """A command in the group."""


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--yes=true", "--yes"),
        ("-y=1", "-y"),
        ("--yes=false", ""),
        ("--remote=true", "--remote"),
        ("--remote=F", "--no-remote"),
        ("--yes=perhaps", "--yes=perhaps"),
        ("--output=true", "--output=true"),
        ("--else=true", "--else=true"),
        ("-o json --yes", "-o json --yes"),
        ("-- --yes=true", "-- --yes=true"),
    ],
)
def test_values_of_flags(typed: str, expected: str) -> None:
    assert plain(click.Context(root), root, ["inner", "leaf", *typed.split()]) == ["inner", "leaf", *expected.split()]


def test_only_flags_of_the_command_that_is_named() -> None:
    assert plain(click.Context(root), root, ["inner", "--yes=true"]) == ["inner", "--yes=true"]
    assert plain(click.Context(root), root, ["nothing", "--yes=true"]) == ["nothing", "--yes=true"]
    assert plain(click.Context(root), root, []) == []
