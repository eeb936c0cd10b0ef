from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from lateen.cli import later_commands
from lateen.cli.main import main


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("analyze", "`analyze` is not supported yet by this version: `lateen validate -f FILE`"),
        ("-n shop analyze --all-namespaces", "`analyze` is not supported yet by this version"),
        ("x precheck", "`experimental precheck` is not supported yet by this version: `lateen install --dry-run`"),
        ("d kiali", "`dashboard kiali` is not supported yet by this version: it belongs to an addon"),
        ("profile diff default demo", "`profile diff` is not supported yet by this version"),
    ],
)
def test_commands_of_istioctl_that_are_missing_are_named(typed: str, told: str) -> None:
    result = CliRunner().invoke(main, typed.split())
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())


@pytest.mark.parametrize("typed", ["nonsense", "x nonsense", "profile nonsense"])
def test_others_are_unknown(typed: str) -> None:
    assert "No such command 'nonsense'" in CliRunner().invoke(main, typed.split()).output


def test_none_of_them_is_there() -> None:
    for name in later_commands._INSTEAD:
        command: click.Command | None = main
        for part in name.split():
            command = command.get_command(click.Context(main), part) if isinstance(command, click.Group) else None
        assert command is None, name
