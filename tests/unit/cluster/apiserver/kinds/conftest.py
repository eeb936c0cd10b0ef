"""The built-in kinds with empty schemas: these tests are about what goes beyond a schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.kinds import builtin_kinds
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.layout import Layout
from lateen.cluster.objects import GVK, split_api_version

KindOf = Callable[[str, str], Kind]


class _NoSchemas:
    def for_gvk(self, gvk: GVK, /) -> Schema:
        return Schema(type="object")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout("test", 3, tmp_path)


@pytest.fixture
def kind_of(layout: Layout) -> KindOf:
    """(apiVersion, kind) -> its Kind."""
    kinds = {kind.resource.gvk: kind for kind in builtin_kinds(_NoSchemas(), layout)}
    return lambda api_version, kind: kinds[GVK(*split_api_version(api_version), kind)]


@pytest.fixture
def ctx() -> Context:
    return Context(User("tester", groups=("system:authenticated",)), RequestInfo("", "create"))
