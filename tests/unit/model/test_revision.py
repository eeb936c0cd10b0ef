from __future__ import annotations

import pytest

from lateen.model.revision import of_revision


@pytest.mark.parametrize(
    ("revision", "name"), [("", "istiod"), ("default", "istiod"), ("canary", "istiod-canary"), ("1-2", "istiod-1-2")]
)
def test_the_default_revision_has_no_suffix(revision: str, name: str) -> None:
    assert of_revision("istiod", revision) == name
