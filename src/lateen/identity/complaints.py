"""What is wrong, told once: of what is tried again and again, each failure would fill the log."""

from __future__ import annotations

import logging


class Complaints:
    """About something, part by part."""

    def __init__(self, log: logging.Logger, about: str) -> None:
        self._log = log
        self._about = about
        self._told: dict[str, str] = {}
        """The problem of each part that has one."""

    def tell(self, part: str, problem: str) -> None:
        """Logs a problem that is another one than before; an empty one says that the part is right. `part` is empty
        where there are none."""
        if not problem:
            self._told.pop(part, None)
        elif problem != self._told.get(part):
            self._told[part] = problem
            self._log.warning("%s: %s", f"{self._about}: {part}" if part else self._about, problem)
