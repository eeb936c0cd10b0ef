"""Certificates for others than Envoy (OUTPUT_CERTS): PEM files under Istio's names.

A key and its chain are two files, and who looks at them now and then must not find those of different certificates. So
both are links into one directory, `..data`, which is itself a link that is replaced in one step: as kubelets do it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time

from lateen.agent.replaced_file import replace

__all__ = ["write_certificate", "write_roots"]

_CURRENT = "..data"


def write_certificate(directory: str, key: str, chain: str, key_mode: int) -> None:
    """PEM, into `key.pem` and `cert-chain.pem`. Raises OSError."""
    version = f"..{time.time_ns()}"
    os.mkdir(os.path.join(directory, version), 0o755)
    os.chmod(os.path.join(directory, version), 0o755)
    replace(os.path.join(directory, version, "key.pem"), key, key_mode)
    replace(os.path.join(directory, version, "cert-chain.pem"), chain, 0o644)
    _link(directory, _CURRENT, version)
    for name in ("key.pem", "cert-chain.pem"):
        _link(directory, name, f"{_CURRENT}/{name}")
    for name in os.listdir(directory):
        if _is_version(name) and name != version:
            shutil.rmtree(os.path.join(directory, name), ignore_errors=True)


def write_roots(directory: str, roots: str) -> None:
    """PEM, into `root-cert.pem`. Raises OSError."""
    replace(os.path.join(directory, "root-cert.pem"), roots, 0o644)


def _is_version(name: str) -> bool:
    return name.startswith("..") and name[2:].isdecimal()


def _link(directory: str, name: str, target: str) -> None:
    """In one step. What is there already and right stays."""
    path = os.path.join(directory, name)
    with contextlib.suppress(OSError):
        if os.readlink(path) == target:
            return
    temporary = f"{path}.{os.getpid()}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    os.symlink(target, temporary)
    os.replace(temporary, path)
