"""Whether a cluster can have the mesh."""

from __future__ import annotations

import pytest

from lateen.install.cluster.installing import too_old


@pytest.mark.parametrize(
    ("minor", "good"), [("24", False), ("24+", False), ("25", True), ("33", True), ("", True), ("x", True)]
)
def test_versions(minor: str, good: bool) -> None:
    assert (too_old("1", minor) == "") is good
