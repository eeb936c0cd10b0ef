from __future__ import annotations

import pytest
from click.testing import CliRunner

from lateen.cli.main import main


def test_help_shows_examples_and_defaults() -> None:
    done = CliRunner().invoke(main, ["istiod", "--help"])
    assert done.exit_code == 0
    assert "lateen istiod --config-dir mesh/" in done.output
    for option in ("--kubeconfig", "--in-cluster", "--ready-file", "--mesh-config", ":15010", ":15014"):
        assert option in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to read"),
        (["--in-cluster", "--kubeconfig", __file__], "exclude each other"),
        (["--config-dir", ".", "--xds-address", "::1:80"], "in brackets"),
        (["--config-dir", ".", "--tls-roots", __file__], "--tls-roots with both"),
    ],
)
def test_what_does_not_go_together(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(main, ["istiod", *arguments])
    assert done.exit_code == 2
    assert words in done.output


def test_a_variable_that_cannot_be_is_one_line() -> None:
    done = CliRunner().invoke(main, ["istiod", "--config-dir", "."], env={"PILOT_DEBOUNCE_MAX": "soon"})
    assert done.exit_code == 1
    assert done.output.startswith("Error: PILOT_DEBOUNCE_MAX='soon': expected a duration")


def test_a_kubeconfig_that_is_none_is_one_line() -> None:
    done = CliRunner().invoke(main, ["istiod", "--kubeconfig", __file__])
    assert done.exit_code == 1
    assert done.output.startswith("Error: kubeconfig ")
