"""A cluster of its own for the tests of installing: they own the control plane."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lateen.testing.local_mesh import LocalMesh


@pytest.fixture(scope="module")
def mesh() -> Iterator[LocalMesh]:
    """Nothing is installed."""
    with LocalMesh(nodes=1) as found:
        yield found
