"""The front, kept running: an Envoy that ends is started anew, and what it serves with is exchanged under it."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from lateen.envoy_binary import envoy_path
from lateen.istiod.configuration import Address
from lateen.istiod.front.bootstrap import FrontPlan, bootstrap
from lateen.istiod.front.directory import FrontDirectory
from lateen.istiod.front.process import FrontFailed, running
from lateen.istiod.front.secrets import TlsMaterial, write_secrets

_log = logging.getLogger(__name__)

_FIRST_SECONDS: Final = 0.05
_LIMIT_SECONDS: Final = 5.0
_STEADY_SECONDS: Final = 10.0


class Front:
    """`with Front(address) as front`: makes the directory, with mode 0700, that sockets and secrets are in.

    Serve at `grpc_socket` and `http_socket`, `take` what it serves with, then `run`.
    """

    def __init__(self, listen: Address, *, place: Path | None = None, json_logs: bool = False) -> None:
        """`place`: where its directory is made."""
        self._listen = listen
        self._json_logs = json_logs
        self._directory = FrontDirectory(place)
        self._verifies = False
        self._started = asyncio.Event()
        self.up = False
        """It listens now."""
        self.starts = 0
        """Times that an Envoy has listened."""
        self.pid = 0

    def __enter__(self) -> Self:
        self._directory.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._directory.__exit__(kind, error, trace)

    @property
    def directory(self) -> Path:
        return self._directory.path

    @property
    def grpc_socket(self) -> Path:
        return self.directory / "grpc"

    @property
    def http_socket(self) -> Path:
        return self.directory / "http"

    @property
    def address(self) -> Address:
        """Where it listens; with its port once it has been `up`."""
        return self._listen

    def take(self, material: TlsMaterial) -> None:
        """What it serves with from now on. Raises OSError."""
        self._verifies = bool(material.roots)
        write_secrets(self.directory, material)

    async def listening(self) -> None:
        """Returns once it has listened for the first time."""
        await self._started.wait()

    async def run(self) -> None:
        """Until cancelled; then it does not listen any more. Raises FrontFailed when it never comes to listen."""
        pause = _FIRST_SECONDS
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._once()
            except FrontFailed as failure:
                if not self.starts:
                    raise FrontFailed(f"cannot serve TLS at {self._listen}: {failure}; it said why") from failure
                _log.error("the TLS front does not come up: %s", failure)
            if asyncio.get_running_loop().time() - began > _STEADY_SECONDS:
                pause = _FIRST_SECONDS
            _log.warning("the TLS front is started anew in %.2f s", pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LIMIT_SECONDS)

    async def _once(self) -> None:
        config, admin = self.directory / "envoy.json", self.directory / "admin"
        plan = FrontPlan(self._listen, self.grpc_socket, self.http_socket, admin, self.directory, self._verifies)
        config.write_text(json.dumps(bootstrap(plan)))
        admin.unlink(missing_ok=True)
        async with running(envoy_path(), config, admin, json_logs=self._json_logs) as (process, port):
            # The next one is to be found where this one was.
            self._listen = msgspec.structs.replace(self._listen, port=port)
            self.pid, self.up = process.pid, True
            self.starts += 1
            self._started.set()
            try:
                code = await process.wait()
                _log.error("the TLS front ended with %s", code)
            finally:
                self.up = False
