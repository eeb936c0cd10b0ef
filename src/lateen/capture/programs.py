"""Runs `nft`, `ip`, `iptables-restore` and `iptables-save`: exact arguments, never a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

TIMEOUT_SECONDS = 60.0


class CaptureError(Exception):
    """What went wrong, for the user to read."""


class Programs(Protocol):
    """Where the kernel's rules are read and written."""

    def read(self, argv: Sequence[str]) -> str:
        """The standard output of a program that changes nothing. Raises CaptureError when it fails."""

    def write(self, argv: Sequence[str], text: str = "") -> None:
        """Runs a program on `text`. Raises CaptureError when it fails."""

    def has(self, program: str) -> bool:
        """Whether the program is installed."""


class Kernel(msgspec.Struct, frozen=True):
    """Programs that really run, in the network namespace of this process."""

    environment: Mapping[str, str]
    log: Callable[[str], None]
    """Told what is run that changes something."""

    def read(self, argv: Sequence[str]) -> str:
        return self._run(argv, "")

    def write(self, argv: Sequence[str], text: str = "") -> None:
        self.log(_shown(argv, text))
        self._run(argv, text)

    def _run(self, argv: Sequence[str], text: str) -> str:
        try:
            done = subprocess.run(
                argv,
                input=text.encode(),
                capture_output=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
                env={**self.environment, "PATH": self._path, "LC_ALL": "C"},
            )
        except OSError as problem:
            raise CaptureError(f"{argv[0]}: {problem.strerror}") from problem
        except subprocess.TimeoutExpired as problem:
            raise CaptureError(f"{argv[0]}: no end after {TIMEOUT_SECONDS:g} s") from problem
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise CaptureError(f"{' '.join(argv)}: exit code {done.returncode}: {said}")
        return done.stdout.decode(errors="replace")

    def has(self, program: str) -> bool:
        return shutil.which(program, path=self._path) is not None

    @property
    def _path(self) -> str:
        # Not every user's search path has the directories of these programs.
        return os.pathsep.join((self.environment.get("PATH") or os.defpath, "/usr/sbin", "/sbin"))


class Printer(msgspec.Struct, frozen=True):
    """Programs that are not run: what would change something is printed, and nothing is there yet."""

    print: Callable[[str], None]

    def read(self, argv: Sequence[str]) -> str:
        return ""

    def write(self, argv: Sequence[str], text: str = "") -> None:
        self.print(_shown(argv, text))

    def has(self, program: str) -> bool:
        return True


def _shown(argv: Sequence[str], text: str) -> str:
    return " ".join(argv) + (f" <<'END'\n{text}END" if text else "")
