"""Label selectors of MeshConfig."""

from __future__ import annotations

import pytest

from lateen.api.mesh.label_selector import LabelSelector, LabelSelectorRequirement, SelectorOperator


def requirement(operator: str, *values: str) -> LabelSelector:
    one = LabelSelectorRequirement(key="env", operator=SelectorOperator(operator), values=values)
    return LabelSelector(match_expressions=(one,))


@pytest.mark.parametrize(
    ("selector", "prod", "test", "none"),
    [
        (LabelSelector(), True, True, True),
        (LabelSelector(match_labels={"env": "prod"}), True, False, False),
        (LabelSelector(match_labels={"env": "prod", "b": "c"}), False, False, False),
        (requirement("In", "prod", "stage"), True, False, False),
        (requirement("NotIn", "prod", "stage"), False, True, True),
        (requirement("Exists"), True, True, False),
        (requirement("DoesNotExist"), False, False, True),
    ],
)
def test_matching(selector: LabelSelector, prod: bool, test: bool, none: bool) -> None:
    found = [selector.matches(labels) for labels in ({"env": "prod", "a": "b"}, {"env": "test"}, {})]
    assert found == [prod, test, none]
