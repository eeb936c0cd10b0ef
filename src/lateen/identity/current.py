"""The authority that signs now, and who is to know when it changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from lateen.api.schema.fault import Fault, Severity
from lateen.identity.authority import Authority
from lateen.identity.plugged import Loaded

_log = logging.getLogger(__name__)


class CurrentAuthority:
    """`offer` whatever has been read; one that does not hold together never takes the place of one that does.

    `changed` is called after every change of the authority.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.authority: Authority | None = None
        """None until there is one."""
        self.faults: tuple[Fault, ...] = ()
        """Of what was last read, for the operator."""
        self._changed = changed
        self._there = asyncio.Event()

    async def known(self) -> Authority:
        """The authority, once there is one."""
        while self.authority is None:
            await self._there.wait()
        return self.authority

    def withdraw(self, reason: str) -> None:
        """Nothing is signed from now on, until an authority is offered."""
        if self.authority is not None:
            _log.error("certificate authority: %s", reason)
            self.authority = None
            self._there.clear()
            self._changed()

    def offer(self, loaded: Loaded, origin: str) -> bool:
        """Takes what was read from somewhere, unless it is faulty. Says whether the authority is another one now."""
        if loaded.faults != self.faults:
            for fault in loaded.faults:
                level = logging.ERROR if fault.severity is Severity.ERROR else logging.WARNING
                _log.log(level, "certificate authority of %s: %s: %s", origin, fault.path, fault.message)
        self.faults = loaded.faults
        if loaded.authority is None or loaded.authority == self.authority:
            return False
        self.authority = loaded.authority
        self._there.set()
        _log.info(
            "certificate authority of %s: %s",
            origin,
            loaded.authority.certificate.subject.rfc4514_string() or "unnamed",
        )
        self._changed()
        return True
