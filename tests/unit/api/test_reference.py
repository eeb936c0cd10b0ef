from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from lateen.api.kinds import MESH_KINDS
from lateen.api.reference import main, reference

COMMITTED = Path(__file__).parents[3] / "docs" / "reference"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference()


def test_what_is_committed_is_up_to_date(pages: dict[str, str]) -> None:
    found = {path.name: path.read_text() for path in COMMITTED.glob("*.md")}
    stale = [name for name in sorted(pages | found) if pages.get(name) != found.get(name)]
    assert stale == [], "run: python -m lateen.api.reference docs/reference"


def test_there_is_a_page_for_every_kind(pages: dict[str, str]) -> None:
    assert {f"{kind.singular}.md" for kind in MESH_KINDS} | {"README.md", "meshconfig.md", "meshnetworks.md"} == set(
        pages
    )


def test_all_links_lead_somewhere(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        headings = Counter(re.findall(r"^## (\w+)", text, re.MULTILINE))
        assert [heading for heading, count in headings.items() if count > 1] == [], name
        anchors = {heading.lower() for heading in headings}
        assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= anchors, name
        assert set(re.findall(r"\]\((\w+\.md)\)", text)) <= set(pages), name


def test_a_page_says_all_about_a_field(pages: dict[str, str]) -> None:
    page = pages["requestauthentication.md"]
    assert "| API versions | `security.istio.io/v1`, `security.istio.io/v1beta1` |" in page
    assert "| `fromHeaders` | list of [JWTHeader](#jwtheader) | Headers in which a token is looked for. |" in page
    assert "| `spaceDelimitedClaims` | list of string |" in page
    assert "At most 64 items. Each item: Not empty. |" in page
    assert "Rule: only one of jwks and jwksUri may be set." in page
    telemetry = pages["telemetry.md"]
    assert "At most one of `literal`, `environment`, `header` and `formatter` may be set." in telemetry
    assert "| `REMOVE` | Leaves the tag out. |" in telemetry
    assert "| `value` | string | The value. **Required.** Not empty. |" in telemetry
    assert "0 to 100. |" in telemetry


def test_pages_of_kinds_that_are_gone_are_removed(tmp_path: Path, pages: dict[str, str]) -> None:
    (tmp_path / "oldkind.md").write_text("old")
    (tmp_path / "notes.txt").write_text("kept")
    main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*pages, "notes.txt"}
