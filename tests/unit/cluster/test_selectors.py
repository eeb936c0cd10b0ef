from __future__ import annotations

import pytest

from lateen.cluster.selectors import EVERYTHING, from_label_selector, parse_fields, parse_labels
from lateen.cluster.status import StatusError

LABELS = {"app": "web", "tier": "front", "n": "5"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier!=back", True),
        ("app in (web, api)", True),
        ("app notin (web)", False),
        ("other notin (web)", True),
        ("app,!gone", True),
        ("!app", False),
        ("n>4", True),
        ("n<5", False),
        ("app>4", False),
        ("gone=", False),
        ("example.com/x!=y", True),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    assert parse_labels(text).matches(LABELS) is matches


@pytest.mark.parametrize("text", ["a=b=c", "in (x)", "a in x", "a>b", "-a", "a,,b", "a in (b%)"])
def test_unparsable_label_selectors_are_bad_requests(text: str) -> None:
    with pytest.raises(StatusError) as raised:
        parse_labels(text)
    assert raised.value.code == 400


def test_absent_and_empty_label_selector_values_differ() -> None:
    assert not from_label_selector(None).matches(LABELS)
    assert from_label_selector({}).matches({})
    assert from_label_selector({}) == EVERYTHING
    expression = {"key": "app", "operator": "In", "values": ["web"]}
    assert from_label_selector({"matchLabels": {"tier": "front"}, "matchExpressions": [expression]}).matches(LABELS)
    assert not from_label_selector({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}).matches(LABELS)


def test_field_selectors() -> None:
    name, phase = parse_fields("metadata.name=x,status.phase!=Running")
    assert (name.path, name.value, name.negated) == ("metadata.name", "x", False)
    assert (phase.path, phase.value, phase.negated) == ("status.phase", "Running", True)
    with pytest.raises(StatusError, match="not path=value"):
        parse_fields("nonsense")
