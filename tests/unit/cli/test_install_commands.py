"""The commands about installing, as far as they need no cluster."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from lateen.cli.install_target import confirm
from lateen.cli.main import main

_HEAD = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\n"


def _run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, list(arguments), input=stdin)


def test_generate_prints_objects() -> None:
    done = _run("manifest", "generate", "--set", "profile=minimal", "--component", "Pilot")
    assert done.exit_code == 0, done.output
    kinds = [each["kind"] for each in yaml.safe_load_all(done.stdout)]
    assert "Deployment" in kinds
    assert "CustomResourceDefinition" not in kinds


def test_generate_reads_standard_input_and_writes_a_directory(tmp_path: Path) -> None:
    spec = _HEAD + "spec: {profile: demo, revision: blue, values: {base: {enableIstioConfigCRDs: false}}}"
    done = _run("manifest", "generate", "-f", "-", "-o", str(tmp_path / "out"), stdin=spec)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "EgressGateways.yaml", "IngressGateways.yaml", "Pilot.yaml",
    ]  # fmt: skip
    assert "istiod-blue" in (tmp_path / "out" / "Pilot.yaml").read_text()


def test_faults_have_their_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(_HEAD + "spec:\n  values:\n    global:\n      proxi: {}\n  meshConfig:\n    nothing: 1\n")
    done = _run("manifest", "generate", "-f", str(file))
    assert done.exit_code == 1
    assert f"{file}:6: error: values.global.proxi: unknown field; did you mean proxy?" in done.stderr
    assert done.stdout == ""


def test_warnings_do_not_stop(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(_HEAD + "spec:\n  profile: minimal\n  values:\n    pilot:\n      traceSampling: 1.0\n")
    done = _run("manifest", "generate", "-f", str(file), "--component", "Pilot")
    assert done.exit_code == 0
    assert f"{file}:7: warning: values.pilot.traceSampling" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("install", "--manifests", "x"), "--manifests is not supported: charts are part of this program"),
        (("install", "--set", "profile"), "expected PATH=VALUE"),
        (("install", "--readiness-timeout", "soon"), "Invalid value for '--readiness-timeout'"),
        (("manifest", "generate", "-f", "/no/such/file"), "/no/such/file: No such file or directory"),
        (("manifest", "generate", "--component", "Pilots"), "there is no 'Pilots' here; there are: Base"),
        (("uninstall",), "say what: --revision NAME"),
        (("uninstall", "--purge", "--revision", "x"), "--purge takes everything away"),
        (("profile", "dump", "dmo"), "there is no profile 'dmo'"),
        (("profile", "dump", "demo", "-p", "values.nothing"), "there is no 'nothing'"),
    ],
)
def test_refusals(arguments: tuple[str, ...], why: str) -> None:
    done = _run(*arguments)
    assert done.exit_code != 0
    assert why in done.output


def test_profiles() -> None:
    assert "demo" in _run("profile", "list").output.splitlines()
    dumped = yaml.safe_load(_run("profile", "dump", "demo").stdout)
    assert dumped["spec"]["values"]["global"]["proxy"]["logLevel"] == "warning"
    assert dumped["spec"]["components"]["egressGateways"][0]["enabled"] is True
    part = yaml.safe_load(_run("profile", "dump", "demo", "-p", "values.pilot.autoscaleEnabled", "-o", "json").stdout)
    assert part is False


def test_what_is_dumped_describes_the_same(tmp_path: Path) -> None:
    file = tmp_path / "dumped.yaml"
    file.write_text(_run("profile", "dump", "demo").stdout)
    again = _run("manifest", "generate", "-f", str(file), "--component", "Pilot")
    assert again.exit_code == 0, again.output
    assert again.stdout == _run("manifest", "generate", "--set", "profile=demo", "--component", "Pilot").stdout


@pytest.mark.parametrize(
    ("stdin", "told"), [("y\n", "agreed"), ("n\n", "Nothing is done."), ("", "there is nobody to ask: say -y")]
)
def test_the_answer_may_come_through_a_pipe(stdin: str, told: str) -> None:
    @click.command()
    def command() -> None:
        confirm("Go on?")
        click.echo("agreed")

    assert told in CliRunner().invoke(command, input=stdin).output
