"""Which version may follow which in place."""

from __future__ import annotations

import pytest

from lateen.install.cluster.versions import refusal


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("0.1.0", "0.1.0", ""),
        ("0.1.0", "0.2.3", ""),
        ("0.1.9", "0.1.10", ""),
        ("0.2.0", "0.1.9", "older than"),
        ("0.9.0", "1.0.0", "major version"),
        ("", "1.0.0", ""),
        ("latest", "1.0.0", ""),
    ],
)
def test_refusal(old: str, new: str, why: str) -> None:
    found = refusal(old, new)
    assert (why in found) if why else found == ""
