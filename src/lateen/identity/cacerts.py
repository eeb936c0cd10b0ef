"""Plugged-in authorities: the files of the Secret `cacerts`, as a volume shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lateen.api.schema.fault import error
from lateen.identity.current import CurrentAuthority
from lateen.identity.plugged import ISTIO_NAMES, TLS_NAMES, Loaded, load

LARGEST_FILE: Final = 1024 * 1024
"""Bytes of one file: a Secret cannot have more."""


def present(directory: Path) -> bool:
    """Whether an authority has been plugged in there, be it a good one or not."""
    return any((directory / name).exists() for name in (ISTIO_NAMES.certificate, TLS_NAMES.certificate))


class PluggedDirectory:
    """Follows the files by what they contain: mounted Secrets change by an exchange of links, copies in place.

    A state between two versions of the files (a certificate whose key has not come yet) does not hold together, and so
    is not taken.
    """

    def __init__(
        self,
        directory: Path,
        current: CurrentAuthority,
        *,
        interval: float = 2.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`interval`: seconds between two looks."""
        self._directory = directory
        self._current = current
        self._interval = interval
        self._now = now
        self._seen: Mapping[str, bytes] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(self._interval)

    def look(self) -> None:
        """Reads the files, and offers their authority if they are not what they were."""
        try:
            files = self._read()
        except OSError as problem:
            self._seen = None
            self._current.offer(Loaded(None, (error("", f"cannot be read: {problem}"),)), str(self._directory))
            return
        if files != self._seen:
            loaded = load(files, self._now())
            # What is not good is looked at again: it may only not be valid yet.
            self._seen = files if loaded.authority is not None else None
            self._current.offer(loaded, str(self._directory))

    def _read(self) -> dict[str, bytes]:
        found = {}
        for name in dict.fromkeys((*ISTIO_NAMES, *TLS_NAMES)):
            path = self._directory / name
            if path.exists():
                with path.open("rb") as file:
                    found[name] = file.read(LARGEST_FILE)
        return found
