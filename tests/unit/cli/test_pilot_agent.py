from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import lateen


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-m", "lateen.cli.pilot_agent", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env={})


@pytest.mark.parametrize("arguments", [(), ("--help",), ("help",)])
def test_help_names_every_command(arguments):
    ran = _run(*arguments)
    assert ran.returncode == 0
    for name in ("proxy", "istio-iptables", "request", "wait", "version"):
        assert f"  {name} " in ran.stdout


def test_version():
    assert _run("version").stdout.strip() == lateen.__version__


def test_a_command_that_there_is_not():
    ran = _run("dance")
    assert ran.returncode == 2
    assert "no command 'dance'" in ran.stderr


@pytest.mark.parametrize("command", ["proxy", "istio-iptables", "request", "wait"])
def test_every_command_has_help(command):
    ran = _run(command, "--help")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.lower().startswith("usage: pilot-agent " + command)


def test_without_a_name_there_is_no_proxy():
    ran = _run("proxy", "sidecar")
    assert ran.returncode == 1
    assert "POD_NAME and POD_NAMESPACE have to be set" in ran.stdout


def test_imports_stay_apart():
    code = (
        "import sys; sys.path.append(sys.argv[1]); import lateen.agent.keeper; "
        "print(sorted({'asyncio', 'ssl', 'argparse', 'json', 'typing', 'cryptography'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(Path(lateen.__file__).parents[1])],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.stdout.strip() == "[]"
