"""One thread, one epoll: calls back when descriptors are ready."""

from __future__ import annotations

import select

TYPE_CHECKING = False  # `typing` itself would cost every pod a megabyte
if TYPE_CHECKING:
    from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT


class Reactor:
    """Callbacks get the ready events; EPOLLHUP and EPOLLERR are always reported."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Starts watching, or changes what is watched."""
        if fd in self._callbacks:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def forget(self, fd: int) -> None:
        """Must come before the descriptor is closed. Unknown ones are ignored."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def step(self) -> None:
        """Waits until something is ready and calls back."""
        for fd, events in self._epoll.poll():
            callback = self._callbacks.get(fd)
            if callback is not None:
                callback(events)
