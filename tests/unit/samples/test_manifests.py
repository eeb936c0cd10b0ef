"""The manifests under samples/: they are valid, and the cluster has a program for each image that they and the public
ones name."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import lateen
from lateen.cli.validate import validate
from lateen.cluster.images.catalog import Catalog
from lateen.cluster.layout import Layout

ROOT = Path(lateen.__file__).parents[2]
SAMPLES = ROOT / "samples"
MANIFESTS = sorted(str(path.relative_to(SAMPLES)) for path in SAMPLES.rglob("*.yaml"))
PROGRAMS = Path(lateen.__file__).parent / "samples" / "programs"

PUBLIC = (
    *(f"docker.io/istio/examples-bookinfo-{name}:1.20.3" for name in ("details-v1", "details-v2", "ratings-v1")),
    *(f"docker.io/istio/examples-bookinfo-reviews-v{n}:1.20.3" for n in (1, 2, 3)),
    "docker.io/istio/examples-bookinfo-productpage-v1:1.20.3",
    "docker.io/istio/examples-bookinfo-productpage-v-flooding:1.20.3",
    "registry.istio.io/release/examples-bookinfo-reviews-v3:1.20.3",
    "docker.io/istio/examples-helloworld-v1",
    "docker.io/istio/examples-helloworld-v2:1.0",
    "docker.io/istio/tcp-echo-server:1.3",
    "docker.io/kennethreitz/httpbin",
    "docker.io/kong/httpbin",
    "docker.io/mccutchen/go-httpbin:v2.15.0",
    "docker.io/citizenstig/httpbin",
    "curlimages/curl",
    "governmentpaas/curl-ssl:terraform-14",
    "fortio/fortio:latest_release",
    "hiroakis/tornado-websocket-example",
)


def _objects(name: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all((SAMPLES / name).read_text()) if each]


def _containers(name: str) -> Iterator[dict[str, Any]]:
    for each in _objects(name):
        if each["kind"] == "Deployment":
            yield from each["spec"]["template"]["spec"]["containers"]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(Layout("x", 0, tmp_path))


@pytest.mark.parametrize("name", MANIFESTS)
def test_images_are_ours_at_this_version_and_run(name: str, catalog: Catalog) -> None:
    for container in _containers(name):
        image = container["image"]
        assert image.startswith("lateen.dev/examples-")
        assert image.endswith(f":{lateen.__version__}")
        _assert_runs(catalog, image)


@pytest.mark.parametrize("image", PUBLIC)
def test_images_of_the_public_manifests_run(image: str, catalog: Catalog) -> None:
    _assert_runs(catalog, image)


def _assert_runs(catalog: Catalog, image: str) -> None:
    found = catalog.find(image)[1]
    argv = found.argv([], [])
    if "-m" in argv:
        assert hasattr(importlib.import_module(argv[argv.index("-m") + 1]), "__name__")
    directories = found.env.get("PATH", "").split(":")
    if str(PROGRAMS) in directories:
        assert found.env["LATEEN_PYTHON"]
    if directories[0] == str(PROGRAMS):
        assert any(word in {path.name for path in PROGRAMS.iterdir()} for word in argv)


@pytest.mark.parametrize("path", sorted(PROGRAMS.iterdir()), ids=lambda path: path.name)
def test_programs_are_executable_and_name_a_module_that_is_there(path: Path) -> None:
    assert path.stat().st_mode & 0o111 == 0o111
    words = path.read_text().split()
    if "-m" in words:
        assert importlib.util.find_spec(words[words.index("-m") + 1]) is not None


@pytest.mark.parametrize("name", MANIFESTS)
def test_every_workload_has_the_labels_that_selectors_and_meshes_go_by(name: str) -> None:
    for each in _objects(name):
        if each["kind"] != "Deployment":
            continue
        template = each["spec"]["template"]["metadata"]["labels"]
        assert each["spec"]["selector"]["matchLabels"].items() <= template.items()
        assert "app" in template
        ports = {port["containerPort"] for container in _containers(name) for port in container.get("ports", ())}
        assert ports or template["app"] in ("curl", "sleep")


def test_bookinfo_is_what_the_tasks_take_for_granted() -> None:
    objects = {
        (each["kind"], each["metadata"]["name"]): each for each in _objects("bookinfo/platform/kube/bookinfo.yaml")
    }
    names = ("details", "ratings", "reviews", "productpage")
    workloads = ("details-v1", "ratings-v1", "reviews-v1", "reviews-v2", "reviews-v3", "productpage-v1")
    assert set(objects) == {
        *(("Service", name) for name in names),
        *(("ServiceAccount", f"bookinfo-{name}") for name in names),
        *(("Deployment", name) for name in workloads),
    }
    for name in names:
        assert objects["Service", name]["spec"]["ports"] == [{"name": "http", "port": 9080}]
        assert objects["Service", name]["metadata"]["labels"] == {"app": name, "service": name}
        assert objects["ServiceAccount", f"bookinfo-{name}"]["metadata"]["labels"] == {"account": name}
    for name in workloads:
        app, version = name.split("-")
        template = objects["Deployment", name]["spec"]["template"]
        assert template["metadata"]["labels"] == {"app": app, "version": version}
        assert template["spec"]["serviceAccountName"] == f"bookinfo-{app}"
        assert template["spec"]["containers"][0]["name"] == app


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_mesh_finds_nothing_wrong(name: str) -> None:
    done = CliRunner().invoke(validate, ["-f", str(SAMPLES / name)])
    assert done.exit_code == 0, done.output
    assert "0 errors, 0 warnings" in done.output


def test_cleaning_up_removes_the_rules_and_the_shop_of_the_namespace_named(tmp_path: Path) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\necho "$@" >> "$(dirname "$0")/calls"\n')
    kubectl.chmod(0o755)
    script = SAMPLES / "bookinfo/platform/kube/cleanup.sh"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    for given, answer in (({"NAMESPACE": "shop"}, ""), ({}, "shop\n")):
        subprocess.run([script], env={**environment, **given}, input=answer, text=True, check=True, capture_output=True)
        calls = (tmp_path / "calls").read_text().splitlines()
        (tmp_path / "calls").unlink()
        assert all(" -n shop --ignore-not-found" in call for call in calls)
        assert "delete -f bookinfo.yaml -n shop --ignore-not-found" in calls
        assert "delete gateways.networking.istio.io bookinfo-gateway -n shop --ignore-not-found" in calls
        assert sum("virtualservices" in call for call in calls) == 5
