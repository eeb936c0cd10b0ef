"""meta/v1 LabelSelector, as MeshConfig uses it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from lateen.api.schema.message import Message


class SelectorOperator(Enum):
    """LabelSelectorRequirement.operator."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class LabelSelectorRequirement(Message, frozen=True, kw_only=True):
    """One condition on one label."""

    key: str
    """The label."""
    operator: SelectorOperator
    """How its value relates to `values`."""
    values: tuple[str, ...] = ()
    """With In and NotIn: at least one; with Exists and DoesNotExist: none."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet the condition. NotIn is met by an absent label."""
        match self.operator:
            case SelectorOperator.IN:
                return labels.get(self.key) in self.values
            case SelectorOperator.NOT_IN:
                return labels.get(self.key) not in self.values
            case SelectorOperator.EXISTS:
                return self.key in labels
            case SelectorOperator.DOES_NOT_EXIST:
                return self.key not in labels


class LabelSelector(Message, frozen=True, kw_only=True):
    """Selects objects by label: all conditions must be met; one without conditions selects everything."""

    match_labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Labels that must have these values."""
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()
    """Further conditions."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            each.matches(labels) for each in self.match_expressions
        )
