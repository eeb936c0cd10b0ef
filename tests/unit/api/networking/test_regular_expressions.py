"""Regular expressions are judged as Envoy judges them."""

from __future__ import annotations

import pytest

from lateen.api.networking.regular_expressions import regex_faults, wrong_substitution
from lateen.api.schema.fault import Severity


def judged(regex: str) -> list[tuple[Severity, str]]:
    return [(fault.severity, fault.message) for fault in regex_faults("here", regex)]


@pytest.mark.parametrize("regex", ["/a.*", "(?i)/x", "/é", "/[日-本]", "[a-z]{40}", r"\pL"])
def test_what_envoy_takes_is_right(regex: str) -> None:
    assert judged(regex) == []


@pytest.mark.parametrize(
    ("regex", "words"),
    [
        ("", "empty"),
        ("(", "missing )"),
        ("a**", "bad repetition"),
        (r"(?=a)", "invalid perl operator"),
        (r"\x{100}", "invalid escape"),
        ("a" * 1025, "at most 1024 characters"),
        ("(?:" + "(?:.|..){30}" * 40 + "){10}", "at most 32768 instructions"),
    ],
)
def test_what_envoy_refuses_is_an_error(regex: str, words: str) -> None:
    ((severity, message),) = judged(regex)
    assert severity is Severity.ERROR
    assert words in message


def test_what_only_some_envoys_take_is_warned_of() -> None:
    ((severity, message),) = judged("/[a-z]{150}")
    assert severity is Severity.WARNING
    assert "155 instructions" in message
    assert "re2.max_program_size.error_level" in message


@pytest.mark.parametrize(
    ("regex", "substitution", "words"),
    [
        ("(a)", r"\1", ""),
        ("(a)", r"\2", "refers to group 2"),
        ("a", "x\\", "after a backslash"),
        ("a", r"\\", ""),
        ("(", r"\1", ""),
    ],
)
def test_substitutions(regex: str, substitution: str, words: str) -> None:
    found = wrong_substitution(regex, substitution)
    assert words in found
    assert bool(found) == bool(words)
