from __future__ import annotations

import subprocess
import sys

from click.testing import CliRunner

from lateen.cli.main import main


def test_help_lists_every_command_with_what_it_is_for() -> None:
    output = CliRunner().invoke(main, ["--help"]).output
    commands = [line.split(maxsplit=1) for line in output.partition("Commands:\n")[2].splitlines()]
    names = [name for name, _ in commands]
    assert names == sorted(names)
    assert {"cluster", "install", "istiod", "proxy-config", "proxy-status", "validate", "version"} <= set(names)
    assert all(help_.strip() for _, help_ in commands)


def test_an_unknown_command_is_told() -> None:
    result = CliRunner().invoke(main, ["analyse"])
    assert result.exit_code == 2
    assert "No such command 'analyse'" in result.output


def test_a_command_does_not_wait_for_what_others_import() -> None:
    program = """
import sys
from lateen.cli.main import main
main(["validate", "-f", "-"], standalone_mode=False)
print([name for name in ("grpc", "aiohttp", "envoy", "lateen.cluster", "lateen.istiod") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", program], input="", capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
