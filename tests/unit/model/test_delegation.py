from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.api.networking.virtual_service import HTTPMatchRequest, HTTPRoute, StringMatch
from lateen.model.delegation import conflict, merged, merged_match, merged_matches, string_conflict


def route(**fields: Any) -> HTTPRoute:
    return msgspec.convert(fields, HTTPRoute)


def match(**fields: Any) -> HTTPMatchRequest:
    return msgspec.convert(fields, HTTPMatchRequest)


@pytest.mark.parametrize(
    ("root", "delegate", "expected"),
    [
        (None, {"exact": "/a"}, False),
        ({"prefix": "/a"}, None, False),
        ({"exact": "/a"}, {"exact": "/a"}, False),
        ({"exact": "/a"}, {"exact": "/b"}, True),
        ({"exact": "/a"}, {"prefix": "/a"}, True),
        ({"prefix": "/a"}, {"prefix": "/a/b"}, False),
        ({"prefix": "/a"}, {"exact": "/a/b"}, False),
        ({"prefix": "/a/b"}, {"prefix": "/a"}, True),
        ({"prefix": "/a"}, {"regex": "/a.*"}, True),
        ({"regex": "/a.*"}, {"exact": "/a"}, True),
        ({"regex": "/a.*"}, None, False),
    ],
)
def test_a_delegate_must_be_narrower(root: Any, delegate: Any, expected: bool) -> None:
    one, other = (msgspec.convert(each, StringMatch | None) for each in (root, delegate))
    assert string_conflict(one, other) is expected


@pytest.mark.parametrize(
    ("root", "delegate"),
    [
        (match(ignoreUriCase=True), match()),
        (match(port=80), match(port=81)),
        (match(sourceNamespace="a"), match(sourceNamespace="b")),
        (match(sourceNamespace="a"), match()),
        (match(sourceLabels={"a": "b"}), match(sourceLabels={"a": "c"})),
        (match(gateways=["mesh"]), match(gateways=["mesh", "n/g"])),
        (match(headers={"a": {"exact": "b"}}), match(headers={"a": {"exact": "c"}})),
        (match(queryParams={"a": {"prefix": "b"}}), match(queryParams={"a": {"prefix": "c"}})),
        (match(withoutHeaders={"a": {"exact": "b"}}), match(withoutHeaders={"a": {"exact": "c"}})),
    ],
)
def test_conflicts(root: HTTPMatchRequest, delegate: HTTPMatchRequest) -> None:
    assert conflict(root, delegate)
    assert merged_matches((root,), (delegate,)) is None


def test_both_conditions_hold() -> None:
    root = match(name="r", uri={"prefix": "/a"}, headers={"x": {"exact": "1"}}, sourceLabels={"a": "b"}, port=80)
    delegate = match(name="d", uri={"prefix": "/a/b"}, headers={"y": {}}, gateways=["mesh"])
    assert merged_match(root, delegate) == match(
        name="r-d",
        uri={"prefix": "/a/b"},
        headers={"x": {"exact": "1"}, "y": {}},
        sourceLabels={"a": "b"},
        port=80,
        gateways=["mesh"],
    )


def test_every_pair_that_fits() -> None:
    roots = (match(uri={"prefix": "/a"}), match(uri={"prefix": "/b"}))
    leaves = (match(uri={"prefix": "/a/1"}), match(method={"exact": "GET"}))
    found = merged_matches(roots, leaves)
    assert found is not None
    assert [each.uri.prefix for each in found if each.uri is not None] == ["/a/1", "/a", "/b"]


def test_one_side_without_matches() -> None:
    only = (match(uri={"prefix": "/a"}),)
    assert merged_matches(only, ()) == only
    assert merged_matches((), only) == only
    assert merged_matches((), ()) == ()


def test_the_delegate_decides_and_the_root_fills_in() -> None:
    root = route(name="root", timeout=None, rewrite={"uri": "/r"}, retries={"attempts": 1}, mirror={"host": "m"},
                 headers={"request": {"remove": ["a"]}})  # fmt: skip
    leaf = route(name="leaf", route=[{"destination": {"host": "a"}}], rewrite={"uri": "/l"})
    found = merged(root, leaf)
    assert found == msgspec.structs.replace(
        leaf, name="root-leaf", retries=root.retries, mirror=root.mirror, headers=root.headers
    )


def test_mirrors_are_not_mixed() -> None:
    root = route(mirror={"host": "m"})
    leaf = route(route=[{"destination": {"host": "a"}}], mirrors=[{"destination": {"host": "n"}}])
    found = merged(root, leaf)
    assert found is not None
    assert found.mirror is None
    assert found.mirrors == leaf.mirrors


texts = st.text("ab", max_size=3)
conditions = st.none() | st.one_of(
    texts.map(lambda text: StringMatch(exact=f"/{text}")), texts.map(lambda text: StringMatch(prefix=f"/{text}"))
)


def holds(condition: StringMatch | None, value: str) -> bool:
    if condition is None:
        return True
    return value == condition.exact if condition.exact is not None else value.startswith(condition.prefix or "")


@given(conditions, conditions, texts)
def test_what_the_merged_match_lets_through_both_let_through(
    wide: StringMatch | None, narrow: StringMatch | None, text: str
) -> None:
    found = merged_matches((HTTPMatchRequest(uri=wide),), (HTTPMatchRequest(uri=narrow),))
    value = f"/{text}"
    if found is None:
        # Only where the delegate's is not within the root's.
        assert wide is not None
        assert narrow is not None
        return
    assert holds(found[0].uri, value) == (holds(wide, value) and holds(narrow, value))
