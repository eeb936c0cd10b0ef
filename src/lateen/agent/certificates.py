"""Keeps a proxy's certificate good: the first one, renewal before its end, and the roots. The work itself is a helper's
(`certificate_helper`); here is when it is done."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from lateen.agent.log import Log
from lateen.agent.process import spawn
from lateen.agent.renewal import longest_wait, renewal_time, retry_wait
from lateen.agent.settings import CertificateSettings
from lateen.agent.state import AgentState

__all__ = ["Certificates"]

_LOOK: Final = 1.0
"""Seconds between two looks at mounted files: a kubelet replaces them as a whole."""
_HELPER_SECONDS: Final = 45.0
_MOST: Final = 64 * 1024
"""Bytes a helper may say: what a pipe holds."""
_SAY_AGAIN: Final = 5.0
"""Seconds between two complaints about the same."""


class _Validity(NamedTuple):
    begin: float
    end: float


class _Failed(Exception):
    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Certificates:
    """`keep` runs until it is cancelled; `on_first` is called once, when a certificate is there."""

    def __init__(
        self,
        settings: CertificateSettings,
        state: AgentState,
        log: Log,
        environment: Mapping[str, str],
        on_first: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._state = state
        self._log = log
        self._environment = environment
        self._on_first = on_first
        self._validity: _Validity | None = None
        self._said = (0.0, "")
        self._seen: object = None
        """What was mounted when it was last made use of."""

    async def keep(self) -> None:
        if self._settings.source == "none":
            self._have(None)
            return
        await self._first()
        renewal = self._renewal()
        while True:
            await asyncio.sleep(_LOOK)
            if await self._look():
                # Not all of a mesh asks in the same moment.
                wait = 0.0 if self._settings.source == "files" else self._settings.root_jitter * _chance()
                renewal = min(renewal, time.time() + wait)
            if time.time() >= renewal:
                await self._until_renewed()
                renewal = self._renewal()

    async def _first(self) -> None:
        """The certificate that an earlier agent has left, or a new one."""
        if os.path.exists(os.path.join(self._settings.directory, "default.yaml")):
            self._seen = self._mounted()
            try:
                found = await self._helped("current")
            except _Failed as problem:
                self._log.warn(f"the certificate that was here: {problem}")
            else:
                if time.time() < found.end:
                    self._have(found)
                    return
        await self._until_renewed()

    async def _until_renewed(self) -> None:
        failures = 0
        action = "request" if self._settings.source == "authority" else "mounted"
        while True:
            mounted, seen = self._mounted(), self._inputs()
            try:
                found = await self._helped(action)
                now = time.time()
                if found.end <= now:
                    raise _Failed(f"it has expired at {_date(found.end)}", 0.0)
            except _Failed as problem:
                failures += 1
                self._complain(str(problem))
                await self._wait(seen, failures, problem.retry_after)
            else:
                # Certificates begin before they are made, since clocks differ. Of a short life that would be most.
                self._have(found._replace(begin=max(found.begin, now)))
                self._seen = mounted
                return

    async def _wait(self, seen: object, failures: int, retry_after: float) -> None:
        """Before the next try; not as long once something has been mounted anew since `seen`."""
        longest = longest_wait(self._validity.end - time.time() if self._validity is not None else 0.0)
        deadline = time.monotonic() + retry_wait(failures, retry_after, _chance(), longest=longest)
        while (left := deadline - time.monotonic()) > 0 and self._inputs() == seen:
            await asyncio.sleep(min(left, _LOOK))
            if self._validity is not None:
                await self._look()

    async def _look(self) -> bool:
        """At the clock and at what is mounted: a certificate may have expired, and new roots are trusted at once.
        Whether certificates should follow."""
        self._state.certificate = self._is_good()
        mounted = self._mounted()
        if mounted == self._seen:
            return False
        self._seen = mounted
        try:
            await self._helped("roots")
        except _Failed as problem:
            self._log.warn(f"the mesh's roots have changed, but: {problem}")
        else:
            self._log.info("the mesh's roots have changed; all that are known are trusted")
        return True

    def _is_good(self) -> bool:
        return self._validity is not None and time.time() < self._validity.end

    def _have(self, validity: _Validity | None) -> None:
        if validity is not None:
            self._log.info(f"the certificate is good until {_date(validity.end)}")
        first = not self._state.certificate and self._validity is None
        self._validity = validity
        self._state.certificate = True
        self._state.certificate_expires = None if validity is None else validity.end
        self._state.obstacle = ""
        if first:
            self._on_first()

    def _complain(self, problem: str) -> None:
        good = self._is_good()
        self._state.obstacle = "" if good else f"no certificate: {problem}"
        now, (last, words) = time.monotonic(), self._said
        if words == problem and now - last < _SAY_AGAIN:
            return
        self._said = (now, problem)
        what = "the certificate is not renewed yet, the one in force stays" if good else "waiting for a certificate"
        self._log.warn(f"{what}: {problem}")

    def _renewal(self) -> float:
        assert self._validity is not None
        settings = self._settings
        if settings.source == "files":
            # Whoever mounts them renews them; a change is seen, and that there is none in time is told.
            return self._validity.end
        return renewal_time(
            *self._validity, ratio=settings.grace_ratio, jitter=settings.grace_jitter, chance=_chance()
        )  # fmt: skip

    def _mounted(self) -> tuple[tuple[int, int, int], ...]:
        """Changes when mounted certificates do."""
        paths = [self._settings.roots]
        if self._settings.source == "files":
            paths += [
                os.path.join(self._settings.mounted, name) for name in ("cert-chain.pem", "key.pem", "root-cert.pem")
            ]
        return tuple(map(_identity, paths))

    def _inputs(self) -> object:
        """Changes when another try may end another way."""
        return self._mounted(), _identity(self._settings.token)

    async def _helped(self, action: str) -> _Validity:
        """Has the helper do something. Raises _Failed."""
        command = (sys.executable, "-I", "-m", "lateen.agent.certificate_helper", action, _json(self._settings))
        said = await _said_by(command, self._environment)
        try:
            found = json.loads(said)
            if "error" in found:
                raise _Failed(found["error"], float(found.get("retry_after", 0.0)))
            return _Validity(float(found["begin"]), float(found["end"]))
        except (ValueError, KeyError, TypeError):
            raise _Failed("the helper process has failed", 0.0) from None


async def _said_by(command: tuple[str, ...], environment: Mapping[str, str]) -> bytes:
    """What a process writes until it ends; one that takes too long is ended."""
    read, write = os.pipe()
    try:
        try:
            process = spawn(command, environment, output=write)
        finally:
            os.close(write)
        try:
            async with asyncio.timeout(_HELPER_SECONDS):
                await process.ended()
        except TimeoutError:
            return b""
        finally:
            process.signal(signal.SIGKILL)
            process.close()
        os.set_blocking(read, False)
        return os.read(read, _MOST)
    except OSError:
        return b""
    finally:
        os.close(read)


def _json(settings: CertificateSettings) -> str:
    return json.dumps({**settings._asdict(), "key": settings.key._asdict()})


def _identity(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _chance() -> float:
    """From 0 to 1; without the module `random`, which brings others."""
    return int.from_bytes(os.urandom(4), "big") / 0xFFFF_FFFF
