"""`lateen kube-inject` with files alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from lateen.cli.kube_inject import kube_inject

_POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: b}]}\n"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "config.yaml").write_text("policy: disabled")
    (tmp_path / "values.json").write_text('{"global": {"hub": "h", "tag": "1"}}')
    (tmp_path / "mesh.yaml").write_text("trustDomain: td")
    (tmp_path / "pod.yaml").write_text(_POD)
    return [
        f"--injectConfigFile={tmp_path}/config.yaml",
        f"--valuesFile={tmp_path}/values.json",
        f"--meshConfigFile={tmp_path}/mesh.yaml",
    ]


def test_a_pod_is_injected_whatever_the_policy(files: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(kube_inject, ["-f", str(tmp_path / "pod.yaml"), *files])
    assert done.exit_code == 0, done.output
    proxy = yaml.safe_load(done.stdout)["spec"]["initContainers"][1]
    assert proxy["image"] == "h/proxyv2:1"
    assert {"name": "TRUST_DOMAIN", "value": "td"} in proxy["env"]


def test_what_was_injected_may_be_injected_again(files: list[str], tmp_path: Path) -> None:
    once = CliRunner().invoke(kube_inject, ["-f", "-", *files], input=_POD).stdout
    assert CliRunner().invoke(kube_inject, ["-f", "-", *files], input=once).stdout == once


def test_a_file_may_be_written(files: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(kube_inject, ["-f", str(tmp_path / "pod.yaml"), "-o", str(tmp_path / "out"), *files])
    assert done.exit_code == 0
    assert "istio-proxy" in (tmp_path / "out").read_text()


def test_why_a_pod_is_left_alone_is_said(files: list[str]) -> None:
    text = _POD.replace("{name: p}", "{name: p, labels: {sidecar.istio.io/inject: 'false'}}")
    done = CliRunner().invoke(kube_inject, ["-f", "-", *files], input=text)
    assert done.stdout == text
    assert "Pod p is not injected: the pod has the label sidecar.istio.io/inject=false" in done.stderr


@pytest.mark.parametrize(
    ("text", "config", "words"),
    [
        (_POD.replace("{name: p}", "{name: p, annotations: {sidecar.istio.io/logLevel: loud}}"), "",
         "Pod p: metadata.annotations[sidecar.istio.io/logLevel]: 'loud' is wrong; expected LEVEL"),
        (_POD.replace("{name: p}", "{name: p, labels: {version: 1}}"), "",
         "Pod p: metadata.labels[version]: expected a string, got 1: put it in quotes"),
        (_POD, "polcy: enabled", "config.polcy: unknown field"),
        ("a: [", "", "the document at line 1: not YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_ends_the_command(files: list[str], tmp_path: Path, text: str, config: str, words: str) -> None:
    if config:
        (tmp_path / "config.yaml").write_text(config)
    done = CliRunner().invoke(kube_inject, ["-f", "-", *files], input=text)
    assert done.exit_code == 1
    assert words in done.stderr
