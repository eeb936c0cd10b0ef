"""A node of one's own for every test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lateen.cluster.layout import Layout
from lateen.cluster.node.cleanup import clean_up_node
from lateen.cluster.testing.single_node import SingleNode


@pytest.fixture
def idle_node(tmp_path: Path) -> Iterator[SingleNode]:
    name = f"t{uuid.uuid4().hex[:8]}"
    layout = Layout(name, 60, tmp_path / name)
    layout.root.mkdir()
    yield SingleNode(layout)
    clean_up_node(layout, 1)


@pytest.fixture
async def node(idle_node: SingleNode) -> AsyncIterator[SingleNode]:
    async with idle_node.running():
        yield idle_node
