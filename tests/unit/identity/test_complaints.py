from __future__ import annotations

import logging

import pytest

from lateen.identity.complaints import Complaints


def test_a_problem_is_told_once_until_it_is_another_one_or_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints(logging.getLogger("test"), "roots")
    for part, problem in (
        ("shop", "forbidden"),
        ("shop", "forbidden"),
        ("bank", "forbidden"),
        ("shop", "gone"),
        ("shop", ""),
        ("shop", ""),
        ("shop", "gone"),
        ("", "away"),
    ):
        complaints.tell(part, problem)
    assert [record.getMessage() for record in caplog.records if record.name != "asyncio"] == [
        "roots: shop: forbidden",
        "roots: bank: forbidden",
        "roots: shop: gone",
        "roots: shop: gone",
        "roots: away",
    ]
