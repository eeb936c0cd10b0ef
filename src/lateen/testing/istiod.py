"""`lateen istiod` as a process for tests, on free ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class IstiodProcess:
    """`with IstiodProcess("--config-dir", "mesh/") as istiod: istiod.until_ready()`.

    `log` is all that it has said; it is JSON, one object per line. With `xds_port` plaintext xDS is there, so that the
    proxies of one that has ended find the next one.
    """

    def __init__(self, *arguments: str, environment: Mapping[str, str] | None = None, xds_port: int = 0) -> None:
        self._arguments = arguments
        self._xds_port = xds_port
        self._environment = {**os.environ, **(environment or {})}
        self._directory = tempfile.TemporaryDirectory(prefix="lateen-istiod-")
        self._ready_file = Path(self._directory.name) / "ready.json"
        self._log = Path(self._directory.name) / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "lateen.cli.main", "istiod", *self._arguments, "--log-as-json"]
        for option in ("--secure-xds-address", "--webhook-address", "--http-address", "--monitoring-address"):
            command += [option, "127.0.0.1:0"]
        command += ["--xds-address", f"127.0.0.1:{self._xds_port}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--ready-file", str(self._ready_file)], env=self._environment, stdout=log, stderr=log
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._directory.cleanup()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines so far; one that is no JSON is `{"msg": LINE}`."""
        return [_line(text) for text in self._log.read_text().splitlines()]

    def said(self, words: str) -> bool:
        return any(words in str(line.get("msg", "")) for line in self.log)

    def until_ready(self, timeout: float = 120.0) -> dict[str, str]:
        """Waits until proxies are served: the addresses.

        `http`, `monitoring` and `xds`; where there is such a thing `secure_xds` and `webhooks`.
        """
        self.until(self._ready_file.exists, timeout)
        return self.addresses

    @property
    def addresses(self) -> dict[str, str]:
        """All when it is ready, before that those of HTTP."""
        if self._ready_file.exists():
            found: dict[str, str] = json.loads(self._ready_file.read_text())
            return found
        self.until(lambda: self.said("listening"))
        (line,) = [line for line in self.log if line.get("msg") == "listening"]
        return {name: line[name] for name in ("http", "monitoring")}

    def get(self, path: str) -> tuple[int, str]:
        """Status and body."""
        try:
            with urllib.request.urlopen(f"http://{self.addresses['http']}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def debug(self, page: str) -> Any:
        status, body = self.get(f"/debug/{page}")
        assert status == 200, body
        return json.loads(body)

    def until(self, holds: Callable[[], bool], timeout: float = 120.0) -> None:
        """Waits for a condition; fails with the log when it does not come, or the process ends. Seconds."""
        deadline = time.monotonic() + timeout
        while not holds():
            ended = self.process.poll()
            assert ended is None, f"istiod ended with {ended}:\n{self._log.read_text()}"
            assert time.monotonic() < deadline, f"not within {timeout:.0f} s:\n{self._log.read_text()}"
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: the end of it, without a word."""
        self.process.kill()
        self.process.wait()

    def memory(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def terminate(self, timeout: float = 60.0) -> int:
        """SIGTERM: the exit status. `timeout` in seconds."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)


def _line(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {"msg": text}
    return found if isinstance(found, dict) else {"msg": text}
