"""Tells how an installation goes: on a terminal one line per component that changes, elsewhere plain lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_TITLES: Final = {
    "Base": "Definitions of the mesh's resources",
    "Pilot": "Control plane",
    "IngressGateways": "Ingress gateways",
    "EgressGateways": "Egress gateways",
}


def title(component: str) -> str:
    return _TITLES.get(component, component)


class Progress:
    """`write` gets text without a newline at its end, and whether the line is finished."""

    def __init__(self, write: Callable[[str, bool], None], *, is_terminal: bool) -> None:
        self._write = write
        self._is_terminal = is_terminal
        self._last: dict[str, str] = {}
        """By component: nothing is said twice."""

    def working(self, component: str, what: str) -> None:
        """A line that the next one takes the place of; nothing new is not told again."""
        text = f"{title(component)}: {what}"
        if text == self._last.get(component):
            return
        self._last[component] = text
        if self._is_terminal:
            self._write(f"- {text}", False)
        else:
            self._write(text, True)

    def done(self, component: str, what: str) -> None:
        self._last.pop(component, None)
        mark = "✔ " if self._is_terminal else ""
        self._write(f"{mark}{title(component)}: {what}", True)

    def failed(self, component: str, what: str) -> None:
        self._last.pop(component, None)
        mark = "✘ " if self._is_terminal else ""
        self._write(f"{mark}{title(component)}: {what}", True)

    def note(self, text: str) -> None:
        self._write(text, True)
