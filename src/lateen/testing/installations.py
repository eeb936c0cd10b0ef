"""Descriptions and what they are rendered to, for the tests of rendering."""

from __future__ import annotations

from typing import Any

from lateen.install.installation import resolve
from lateen.install.operator_file import read_operator_file
from lateen.install.rendering.objects import render
from lateen.install.set_flags import parse_set_flag
from lateen.install.values.operator import Operator

HEAD = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\n"


def described(*flags: str, spec: str = "") -> Operator:
    """A description that has no errors."""
    files = read_operator_file("mesh.yaml", (HEAD + spec).encode()) if spec else ()
    found = resolve(files, [parse_set_flag(flag) for flag in flags])
    assert found.operator is not None, found.errors
    return found.operator


class Objects:
    """What a description is rendered to, but the definitions."""

    def __init__(self, *flags: str, spec: str = "") -> None:
        rendered = render(described("values.base.enableIstioConfigCRDs=false", *flags, spec=spec))
        self.all = [each.object for each in rendered]

    def named(self, kind: str, name: str) -> dict[str, Any]:
        found = [each for each in self.all if each["kind"] == kind and each["metadata"]["name"] == name]
        assert len(found) == 1, f"{kind} {name}: {len(found)} of {self.names(kind)}"
        return found[0]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.all if each["kind"] == kind]

    def names(self, kind: str) -> list[str]:
        return [each["metadata"]["name"] for each in self.of(kind)]

    def pod(self, name: str) -> dict[str, Any]:
        template: dict[str, Any] = self.named("Deployment", name)["spec"]["template"]
        return template

    def container(self, name: str) -> dict[str, Any]:
        container: dict[str, Any] = self.pod(name)["spec"]["containers"][0]
        return container
