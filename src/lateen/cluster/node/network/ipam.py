"""Which address of the node's range belongs to which pod sandbox: one small file each, so that it survives us.

The file is named after the IPv4 address's offset in the range and holds the sandbox's id. It appears by a rename:
nothing can be half written. Addresses are given out in turn: a freed one comes again when the range was used up.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

_FIRST = 2
"""Offsets 0 and 1 stay free: the network's own address, and what users expect to be a gateway."""


class AddressesExhausted(Exception):
    """No address is left in the node's range."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """A pod's addresses: the same offset in both of the node's ranges."""

    offset: int
    ipv4: IPv4Address
    ipv6: IPv6Address


class AddressPool:
    """The addresses of one node; `directory` keeps who has which."""

    def __init__(self, directory: Path, ipv4: IPv4Network, ipv6: IPv6Network) -> None:
        self._directory = directory
        self._ipv4 = ipv4
        self._ipv6 = ipv6
        self._last = _FIRST - 1
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._owners = {int(path.name): path.read_text() for path in directory.iterdir() if path.name.isdigit()}
        if self._owners:
            self._last = max(self._owners)

    def allocate(self, owner: str) -> Addresses:
        """The addresses of `owner`: those it has already, else the next free ones. Raises AddressesExhausted."""
        found = self.find(owner)
        if found is not None:
            return found
        end = self._ipv4.num_addresses - 1
        for offset in (*range(self._last + 1, end), *range(_FIRST, min(self._last + 1, end))):
            if offset in self._owners:
                continue
            self._claim(offset, owner)
            self._last = offset
            return self._addresses(offset)
        raise AddressesExhausted(f"no addresses available in {self._ipv4}")

    def find(self, owner: str) -> Addresses | None:
        return next((self._addresses(n) for n, name in self._owners.items() if name == owner), None)

    def free(self, owner: str) -> None:
        """Gives the owner's addresses back; nothing happens when it has none."""
        for offset in [n for n, name in self._owners.items() if name == owner]:
            with contextlib.suppress(FileNotFoundError):
                (self._directory / str(offset)).unlink()
            del self._owners[offset]

    def owners(self) -> set[str]:
        return set(self._owners.values())

    def _claim(self, offset: int, owner: str) -> None:
        temporary = self._directory / ".new"
        temporary.write_text(owner)
        # Whole at once, whenever we are killed.
        os.rename(temporary, self._directory / str(offset))
        self._owners[offset] = owner

    def _addresses(self, offset: int) -> Addresses:
        return Addresses(offset, self._ipv4[offset], self._ipv6[offset])
