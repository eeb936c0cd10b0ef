"""Resource quantities: `100m`, `1.5Gi`, `2e3`.

Source: k8s.io/apimachinery `resource.Quantity`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

_SHAPE: Final = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?")
_FACTORS: Final = {
    **{suffix: Fraction(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)},
}
_LONGEST: Final = 128

INVALID: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
"""What Kubernetes says of text that is no quantity."""


def parse_quantity(text: str) -> Fraction:
    """The exact value. Raises ValueError (with Kubernetes' words) for what is no quantity."""
    shape = _SHAPE.fullmatch(text) if len(text) <= _LONGEST else None
    if shape is None:
        raise ValueError(INVALID)
    number, suffix = Fraction(Decimal(shape[1])), shape[2] or ""
    if suffix in _FACTORS:
        return number * _FACTORS[suffix]
    return number * Fraction(10) ** int(suffix[1:])


def is_quantity(text: str) -> bool:
    return len(text) <= _LONGEST and _SHAPE.fullmatch(text) is not None
