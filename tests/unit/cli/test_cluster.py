from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from lateen.cli import cluster as command
from lateen.cli.main import main
from lateen.cluster.layout import Layout
from lateen.cluster.lifecycle import up as up_module
from lateen.cluster.lifecycle.home import Home
from lateen.cluster.lifecycle.kubeconfig import Owner
from lateen.cluster.lifecycle.progress import Progress
from lateen.cluster.lifecycle.up import Request
from lateen.cluster.network.commands import CommandError
from lateen.cluster.spec import Spec


class Line:
    """The command line with a home of its own, as root."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self._monkeypatch = monkeypatch
        for variable in ("SUDO_UID", "SUDO_GID", "NO_COLOR"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("PATH", os.environ["PATH"])
        monkeypatch.setenv("LATEEN_HOME", str(home))
        monkeypatch.setenv("KUBECONFIG", str(home / "kubeconfig"))
        monkeypatch.setattr(os, "geteuid", lambda: 0)

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["cluster", *arguments])

    def fails(self, *arguments: str) -> str:
        """The message of a command that must fail with 1, printing nothing but an error."""
        done = self(*arguments)
        assert (done.exit_code, done.stdout) == (1, ""), done.output
        assert done.stderr.startswith("Error: ")
        return done.stderr

    def cluster(self, name: str = "local", nodes: int = 1) -> Layout:
        """A cluster that is down."""
        home = Home(self.home)
        return home.claim(lambda index: Spec(name, index, nodes), name, lambda layout: True)

    def requests(self) -> list[Request]:
        """What `up` is asked for from now on; it makes one step and no cluster."""
        asked: list[Request] = []

        def up(home: Home, request: Request, progress: Progress) -> Layout:
            asked.append(request)
            with progress.step("Making the network"):
                return Layout(request.name, 0, home.root(request.name))

        self._monkeypatch.setattr(command, "bring_up", up)
        return asked


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(tmp_path, monkeypatch)


def commands() -> list[str]:
    return sorted(command.cluster.commands)


@pytest.mark.parametrize("name", commands())
def test_every_command_has_help_with_examples(name: str) -> None:
    for flag in ("-h", "--help"):
        done = CliRunner().invoke(main, ["cluster", name, flag])
        assert done.exit_code == 0
        assert "Examples:" in done.stdout
        assert f"lateen cluster {name}" in done.stdout


@pytest.mark.parametrize("path", [[], ["cluster"]])
def test_lists_of_commands_are_not_cut_off(path: Sequence[str]) -> None:
    done = CliRunner().invoke(main, [*path, "--help"], terminal_width=80)
    assert done.exit_code == 0
    assert "..." not in done.stdout.partition("Commands:")[2]


def test_istioctl_is_the_same_program() -> None:
    found = {script.name: script.load() for script in entry_points(group="console_scripts", module="lateen.cli.main")}
    assert found == {"lateen": main, "istioctl": main}


@pytest.mark.parametrize("verb", ["up", "down"])
def test_what_needs_root_says_so(line: Line, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert f"need root; run: sudo $(command -v lateen) cluster {verb}" in line.fails(verb)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "--name", "Bad_Name"], "cluster name 'Bad_Name': expected at most 20 of a-z"),
        (["up", "--peer", "east"], "there is no cluster 'east' (clusters here: none); make it with"),
        (["up", "--peer", "local"], "a cluster cannot be its own peer"),
        (["up", "--node-label", "zone=a"], "--node-label zone=a: expected NODE:KEY=VALUE"),
        (["up", "--node-label", "2:zone=a"], "there is no node local-node-2; nodes of local: local-node-1"),
        (["up", "--node-label", "1:zone=a b"], '--node-label: Invalid value: "a b": a valid label must'),
        (["down"], "there is no cluster 'local' to take down (clusters here: none)"),
        (["status", "--name", "east"], "there is no cluster 'east'"),
        (["logs", "--name", "east"], "there is no cluster 'east'"),
        (["kubeconfig"], "there is no cluster 'local' (clusters here: none); make it with: lateen cluster up"),
        (["load-image", "shop", "--", "true"], "there is no cluster 'local'"),
    ],
)
def test_errors_say_what_to_do(line: Line, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str) -> None:
    monkeypatch.setattr(up_module.shutil, "which", lambda program: f"/usr/sbin/{program}")
    assert message in line.fails(*arguments)
    assert Home(line.home).names() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "--nodes", "0"], "0 is not in the range 1<=x<=100"),
        (["up", "--timeout", "0"], "0.0 is not in the range x>0"),
        (["logs", "--tail", "-1"], "-1 is not in the range x>=0"),
        (["status", "-o", "wide"], "'wide' is not one of 'json', 'yaml'"),
        (["load-image", "shop"], "Missing argument 'ARGV...'"),
        (["log"], "No such command 'log'"),
    ],
)
def test_bad_usage_is_refused(line: Line, arguments: list[str], message: str) -> None:
    done = line(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr


@pytest.mark.parametrize(("program", "package"), [("nft", "nftables"), ("ip", "iproute2")])
def test_up_names_the_package_of_a_missing_program(
    line: Line, monkeypatch: pytest.MonkeyPatch, program: str, package: str
) -> None:
    monkeypatch.setattr(up_module.shutil, "which", lambda name: None if name == program else f"/usr/sbin/{name}")
    assert f"{program} is missing; install it with: apt-get install {package}" in line.fails("up")


def test_a_failing_program_is_an_error_and_no_traceback(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def up(*arguments: object) -> Layout:
        raise CommandError(["nft", "-f", "-"], 1, "Error: Operation not supported\n")

    monkeypatch.setattr(command, "bring_up", up)
    assert line.fails("up") == "Error: nft -f -: exit code 1: Error: Operation not supported\n"


def test_up_passes_on_what_was_asked_for(line: Line) -> None:
    asked = line.requests()
    labels = ("--node-label", "2:zone=b", "--node-label", "2:rack=")
    done = line("up", "--name", "east", "--nodes", "2", "--peer", "west", "--no-egress", *labels, "--timeout", "9.5")
    assert done.exit_code == 0, done.output
    assert asked == [
        Request(
            name="east",
            nodes=2,
            peers=("west",),
            egress=False,
            node_labels={"east-node-2": {"zone": "b", "rack": ""}},
            kubeconfig=line.home / "kubeconfig",
            timeout_seconds=9.5,
        )
    ]
    assert "kubectl --context lateen-east" in done.stdout
    assert "Making the network: " in done.stderr
    assert "\x1b" not in done.output


def test_under_sudo_the_callers_files_are_written_with_the_callers_rights(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = line.requests()
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65533")
    home = command.read_settings().caller
    assert home is not None
    line("up", "--kubeconfig", str(home.home / "config"))
    line("up")
    assert [request.kubeconfig_owner for request in asked] == [Owner(65534, 65533), None]


def test_root_finds_nft_though_its_path_lacks_the_system_directories(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.requests()
    monkeypatch.setenv("PATH", "/usr/bin")
    line("up")
    assert os.environ["PATH"] == "/usr/bin:/usr/sbin:/sbin"


def test_status_of_nothing(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    assert line("status").stdout == "No clusters. Make one with: lateen cluster up\n"
    assert line("status", "-o", "json").stdout == "[]\n"
    assert line("status", "-o", "yaml").stdout == "[]\n"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "sudo $(command -v lateen) cluster status" in line("status").stdout


def test_status_of_clusters_that_are_down(line: Line) -> None:
    line.cluster("east", nodes=2)
    line.cluster("west")
    text = line("status").stdout
    assert "cluster east: not (wholly) running" in text
    assert ["node-2", "Stopped", "-", "0", "-", "-"] in [row.split() for row in text.splitlines()]
    everything = json.loads(line("status", "-o", "json").stdout)
    assert [found["name"] for found in everything] == ["east", "west"]
    one = yaml.safe_load(line("status", "-o", "yaml", "--name", "east").stdout)
    assert one == everything[0]
    assert (one["nodes"], one["running"], one["pods_ipv4"]) == (2, False, "10.128.0.0/16")


def test_logs_prints_the_last_lines(line: Line) -> None:
    layout = line.cluster()
    assert line("logs").stdout == ""
    layout.logs.mkdir()
    (layout.logs / "node-1.log").write_text("one\ntwo\nthree\n")
    assert line("logs", "node-1", "--tail", "2").stdout == "two\nthree\n"
    assert line("logs", "node-1", "--tail", "0").stdout == ""
    assert "components of local: supervisor, apiserver, controllers, fabric, node-1" in line.fails("logs", "node-2")


def test_kubeconfig_is_for_the_cluster_alone(line: Line) -> None:
    layout = line.cluster()
    assert "has no credentials yet; bring it up with: lateen cluster up --name local" in line.fails("kubeconfig")
    layout.kubeconfigs.mkdir()
    admin = {"clusters": [{"cluster": {"server": "https://x"}}], "users": [{"user": {"token": "t"}}]}
    (layout.kubeconfigs / "admin.conf").write_text(yaml.safe_dump(admin))
    config = yaml.safe_load(line("kubeconfig").stdout)
    assert config["current-context"] == "lateen-local"
    assert config["users"] == [{"name": "lateen-local", "user": {"token": "t"}}]


def test_load_image_takes_patterns_and_warns_of_programs_that_are_not_there(line: Line) -> None:
    layout = line.cluster()
    done = line("load-image", "example.org/tools/*", "--env", "A=b=c", "--", "sh", "-c", "true")
    assert (done.exit_code, done.stderr) == (0, "")
    (path,) = layout.images.iterdir()
    (entry,) = yaml.safe_load(path.read_text())["images"]
    assert entry == {"image": ["example.org/tools/*"], "entrypoint": ["sh", "-c", "true"], "env": {"A": "b=c"}}
    warned = line("load-image", "shop", "/nonexistent/shop")
    assert warned.exit_code == 0
    assert "warning: there is no program /nonexistent/shop here" in warned.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Shop Two", "true"], "invalid reference format"),
        (["shop", "--env", "A", "--", "true"], "--env A: expected KEY=VALUE"),
        (["shop", "--workdir", "here", "--", "true"], "working directory 'here': expected an absolute path"),
    ],
)
def test_load_image_refuses_what_no_container_could_use(line: Line, arguments: list[str], message: str) -> None:
    layout = line.cluster()
    assert message in line.fails("load-image", *arguments)
    assert not layout.images.exists() or not list(layout.images.iterdir())


def test_options_are_all_described() -> None:
    for found in command.cluster.commands.values():
        for parameter in found.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{found.name} {parameter.name}"
