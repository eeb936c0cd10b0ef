"""Host names: the algebra of patterns, by property and by example."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.model import hosts

LABELS = st.sampled_from(["a", "b", "ab", "example", "com"])
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.one_of(NAMES, NAMES.map("*.{}".format), NAMES.map("*-{}".format), st.just("*"))


def matched(pattern: str, name: str) -> bool:
    """What a pattern means, said directly."""
    if pattern == "*":
        return True
    if pattern.startswith("*"):
        return name.endswith(pattern[1:]) and len(name) > len(pattern) - 1
    return name == pattern


@given(PATTERNS, NAMES)
def test_a_name_is_covered_by_what_matches_it(pattern: str, name: str) -> None:
    assert hosts.covers(pattern, name) == matched(pattern, name)


@given(PATTERNS, PATTERNS, NAMES)
def test_a_covering_pattern_matches_all_that_the_covered_one_does(wide: str, narrow: str, name: str) -> None:
    if hosts.covers(wide, narrow) and matched(narrow, name):
        assert matched(wide, name)


@given(PATTERNS, PATTERNS, PATTERNS)
def test_covering_is_an_order(a: str, b: str, c: str) -> None:
    assert hosts.covers(a, a)
    if hosts.covers(a, b) and hosts.covers(b, c):
        assert hosts.covers(a, c)
    if hosts.covers(a, b) and hosts.covers(b, a):
        assert a == b


@given(PATTERNS, PATTERNS, NAMES)
def test_patterns_with_a_name_in_common_overlap(a: str, b: str, name: str) -> None:
    assert hosts.overlaps(a, b) == hosts.overlaps(b, a)
    if matched(a, name) and matched(b, name):
        assert hosts.overlaps(a, b)


@given(NAMES, st.lists(PATTERNS, max_size=6))
def test_no_other_covering_pattern_is_within_the_closest(name: str, patterns: list[str]) -> None:
    closest = hosts.closest(name, patterns)
    covering = [pattern for pattern in patterns if hosts.covers(pattern, name)]
    assert (closest is None) == (not covering)
    if closest is not None:
        assert all(hosts.covers(pattern, closest) or pattern == closest for pattern in covering)


@given(PATTERNS.filter(lambda pattern: not pattern.startswith("*-")), PATTERNS.filter(lambda p: not p.startswith("*-")))
def test_candidates_are_all_the_patterns_on_label_boundaries_that_cover(host: str, pattern: str) -> None:
    assert (pattern in hosts.candidates(host)) == hosts.covers(pattern, host) or not _on_boundary(pattern, host)


def _on_boundary(pattern: str, host: str) -> bool:
    return not pattern.startswith("*") or pattern == "*" or len(pattern[2:].split(".")) <= len(host.split("."))


def test_candidates_come_closest_first() -> None:
    assert hosts.candidates("a.b.c") == ("a.b.c", "*.b.c", "*.c", "*")
    assert hosts.candidates("*.b.c") == ("*.b.c", "*.c", "*")
    assert hosts.candidates("*") == ("*",)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("reviews", "reviews.shop.svc.cluster.local"),
        ("reviews.other", "reviews.other"),
        ("reviews.other.svc.cluster.local", "reviews.other.svc.cluster.local"),
        ("*", "*"),
        ("*.example.com", "*.example.com"),
        ("2001:db8::1", "2001:db8::1"),
        ("", ""),
    ],
)
def test_a_name_without_dots_is_a_service_of_the_namespace(name: str, expected: str) -> None:
    assert hosts.resolved(name, "shop", "cluster.local") == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("reviews.shop.svc.cluster.local", ("reviews", "shop")),
        ("a.reviews.shop.svc.cluster.local", None),
        ("*.shop.svc.cluster.local", None),
        ("shop.svc.cluster.local", None),
        ("api.example.com", None),
    ],
)
def test_which_kubernetes_service_a_host_can_be(host: str, expected: tuple[str, str] | None) -> None:
    assert hosts.kubernetes_name(host, "cluster.local") == expected


@given(PATTERNS.filter(hosts.is_wildcard), st.lists(PATTERNS, max_size=6))
def test_a_wildcard_is_found_to_cover_some_of_many(wildcard: str, names: list[str]) -> None:
    expected = any(hosts.covers(wildcard, name) for name in names if name != wildcard)
    assert hosts.covers_some(wildcard, hosts.backwards(names)) is expected


def test_where_a_host_is_indexed() -> None:
    assert hosts.bucket("web", "default") == hosts.bucket("web.default.svc.cluster.local") == ("default", "web")
    assert hosts.bucket("a.com") == hosts.bucket("a.com", "default") == "a.com"
    assert hosts.bucket("*.default.svc.cluster.local") == "*.default.svc.cluster.local"
    assert hosts.bucket("*", "default") == "*"
    assert hosts.bucket("web") == "web"


@given(st.lists(PATTERNS, max_size=6), PATTERNS)
def test_the_wildcards_that_cover_a_host(patterns: list[str], host: str) -> None:
    expected = {pattern for pattern in patterns if hosts.is_wildcard(pattern) and hosts.covers(pattern, host)}
    assert hosts.Wildcards(patterns).covering(host) == sorted(expected, key=hosts.specificity)
