"""The forms of labels. Each function says what is wrong, or nothing ("")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lateen.api.schema.fault import Fault, error

_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_LONGEST = 63
_LONGEST_PREFIX = 253


def wrong_label_key(key: str) -> str:
    """What is wrong with a label's key: `name` or `prefix.domain/name`."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > _LONGEST_PREFIX or _PREFIX.fullmatch(prefix) is None):
        return f"must be a label's key: the prefix of {key!r} is not a DNS name"
    if len(name) > _LONGEST or _NAME.fullmatch(name) is None:
        return f"must be a label's key, of letters, digits, '-', '_' and '.', at most {_LONGEST}, not {key!r}"
    return ""


def wrong_label_value(value: str) -> str:
    """What is wrong with a label's value."""
    if value and (len(value) > _LONGEST or _NAME.fullmatch(value) is None):
        return f"must be a label's value, of letters, digits, '-', '_' and '.', at most {_LONGEST}, not {value!r}"
    return ""


def label_faults(path: str, labels: Mapping[str, str]) -> Iterator[Fault]:
    """Faults of labels that a workload is to have."""
    for key, value in labels.items():
        if wrong := wrong_label_key(key) or wrong_label_value(value):
            yield error(f"{path}[{key}]", wrong)
