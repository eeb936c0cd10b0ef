"""A client joined to a container's streams: what it writes goes in, what comes out is copied to it."""

from __future__ import annotations

import os

from lateen.cluster.node.shim.reactor import READ, WRITE, Reactor

TYPE_CHECKING = False  # `typing` itself would cost every pod a megabyte
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BEHIND = 1 << 20
"""Bytes a client may be behind with reading before it is cut off: the container does not wait for it."""
_CHUNK = 65536


class OutputCopy:
    """One stream's copy to one client, whose descriptor this owns."""

    def __init__(self, reactor: Reactor, fd: int) -> None:
        self._reactor = reactor
        self._fd = fd
        self._pending = bytearray()
        self._ending = False
        os.set_blocking(fd, False)

    @property
    def open(self) -> bool:
        return self._fd >= 0

    def write(self, data: bytes) -> None:
        if not self.open:
            return
        self._pending += data
        if len(self._pending) > MAX_BEHIND:
            self.close()
        else:
            self._flush(0)

    def end(self) -> None:
        """Closes once everything has been taken."""
        self._ending = True
        if self.open:
            self._flush(0)

    def _flush(self, _events: int) -> None:
        try:
            while self._pending:
                del self._pending[: os.write(self._fd, self._pending[:_CHUNK])]
        except BlockingIOError:
            self._reactor.watch(self._fd, WRITE, self._flush)
            return
        except OSError:
            self.close()
            return
        self._reactor.forget(self._fd)
        if self._ending:
            self.close()

    def close(self) -> None:
        if self.open:
            self._reactor.forget(self._fd)
            os.close(self._fd)
            self._fd = -1


class InputFeed:
    """A client's input towards a container's stdin; reads no faster than the container takes it."""

    def __init__(self, reactor: Reactor, source: int, sink: int, ended: Callable[[], None]) -> None:
        """Owns `source`, borrows `sink`; `ended` is called when the source is over."""
        self._reactor = reactor
        self._source = source
        self._sink = sink
        self._ended = ended
        self._pending = bytearray()
        self._sink_copy = -1
        os.set_blocking(source, False)
        os.set_blocking(sink, False)
        reactor.watch(source, READ, self._readable)

    def _readable(self, _events: int) -> None:
        try:
            data = os.read(self._source, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self._ended()
            return
        self._pending += data
        self._writable(0)

    def _writable(self, _events: int) -> None:
        try:
            while self._pending:
                del self._pending[: os.write(self._sink, self._pending)]
        except BlockingIOError:
            # The sink may be watched for reading (a terminal): poll it through a descriptor of its own.
            self._wait_for_sink()
            return
        except OSError:
            self.close()
            return
        self._resume()

    def _wait_for_sink(self) -> None:
        self._reactor.forget(self._source)
        if self._sink_copy < 0:
            self._sink_copy = os.dup(self._sink)
        self._reactor.watch(self._sink_copy, WRITE, self._writable)

    def _resume(self) -> None:
        if self._release_sink():
            self._reactor.watch(self._source, READ, self._readable)

    def _release_sink(self) -> bool:
        if self._sink_copy < 0:
            return False
        self._reactor.forget(self._sink_copy)
        os.close(self._sink_copy)
        self._sink_copy = -1
        return True

    def close(self) -> None:
        if self._source < 0:
            return
        self._release_sink()
        self._reactor.forget(self._source)
        os.close(self._source)
        self._source = -1
