"""Kubernetes resource quantities (`500m`, `1.5Gi`, `2e3`): parsed, compared, added and printed exactly.

Source: k8s.io/apimachinery `resource.Quantity`: values are kept to the nano (rounded away from zero beyond it),
capped at 2^63-1, and printed canonically: no fraction, the largest suffix that loses nothing, in the notation they
were written in.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

_NANO = 10**9
_CAP = (2**63 - 1) * _NANO
_MAX_LENGTH = 128
_MAX_EXPONENT = 60

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_BINARY_SUFFIX = {power: suffix for suffix, power in _BINARY.items()}
_SYNTAX = re.compile(r"([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:([eE])([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)", re.ASCII)

MALFORMED = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
"""What Kubernetes says of text that is no quantity."""


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount in nano-units and the notation it prints in: `DecimalSI`, `BinarySI` or `DecimalExponent`."""

    nano: int
    notation: str = "DecimalSI"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nano == other.nano

    def __hash__(self) -> int:
        return hash(self.nano)

    def __lt__(self, other: Quantity) -> bool:
        return self.nano < other.nano

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.nano + other.nano, self.notation if self.nano else other.notation)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nano - other.nano, self.notation if self.nano else other.notation)

    @property
    def value(self) -> int:
        """In whole units, rounded up."""
        return -(-self.nano // _NANO)

    @property
    def milli(self) -> int:
        """In thousandths, rounded up."""
        return -(-self.nano // 10**6)

    @property
    def is_whole(self) -> bool:
        return self.nano % _NANO == 0

    def __str__(self) -> str:
        if self.nano == 0:
            return "0"
        if self.notation == "BinarySI" and self.is_whole and abs(self.nano) >= 1024 * _NANO:
            return self._binary()
        return self._decimal()

    def _binary(self) -> str:
        amount, power = self.nano // _NANO, 0
        while power < 6 and amount % 1024 == 0:
            amount //= 1024
            power += 1
        return f"{amount}{_BINARY_SUFFIX.get(power, '')}"

    def _decimal(self) -> str:
        amount, exponent = self.nano, -9
        while exponent < 18 and amount % 1000 == 0:
            amount //= 1000
            exponent += 3
        if self.notation == "DecimalExponent":
            return f"{amount}e{exponent}" if exponent else str(amount)
        return f"{amount}{_DECIMAL_SUFFIX[exponent]}"


def parse(value: Any) -> Quantity:
    """Reads a quantity: a string, or a JSON number. Raises ValueError when it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(MALFORMED)
    text = repr(value) if isinstance(value, float) else str(value).strip()
    m = _SYNTAX.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if m is None:
        raise ValueError(MALFORMED)
    sign, whole, fraction, only_fraction, exponential, exponent_text, suffix = m.groups()
    fraction = fraction or only_fraction or ""
    digits = int((whole or "") + fraction or "0")
    notation, numerator, exponent = "DecimalSI", digits * _NANO, 0
    if exponential:
        notation, exponent = "DecimalExponent", int(exponent_text)
        if abs(exponent) > _MAX_EXPONENT:
            raise ValueError(MALFORMED)
    elif suffix in _BINARY:
        notation, numerator = "BinarySI", numerator << (10 * _BINARY[suffix])
    else:
        exponent = _DECIMAL[suffix or ""]
    exponent -= len(fraction)
    magnitude = numerator * 10**exponent if exponent >= 0 else -(-numerator // 10**-exponent)
    magnitude = min(magnitude, _CAP)
    return Quantity(-magnitude if sign == "-" else magnitude, notation)


def canonical(value: Any) -> Any:
    """The canonical text of a quantity; a value that is none is returned as it is (validation names it)."""
    try:
        return str(parse(value))
    except ValueError:
        return value
