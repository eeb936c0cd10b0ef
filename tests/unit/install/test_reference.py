"""docs/install.md says what the model says."""

from __future__ import annotations

from pathlib import Path

from lateen.install.profiles import PROFILES
from lateen.install.reference import rows, with_tables
from lateen.install.values.operator import Operator

_DOCUMENT = Path(__file__).parents[3] / "docs" / "install.md"


def test_the_tables_are_those_of_the_model() -> None:
    text = _DOCUMENT.read_text()
    assert with_tables(text) == text, "python -m lateen.install.reference docs/install.md"


def test_every_key_says_what_it_means() -> None:
    assert [row.path for row in rows(Operator) if not row.text] == []


def test_every_profile_is_told_of() -> None:
    [header] = [line for line in _DOCUMENT.read_text().splitlines() if line.startswith("| | default | demo")]
    assert set(PROFILES) == {cell.strip() for cell in header.split("|")} - {""}
