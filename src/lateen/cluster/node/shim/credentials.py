"""Becoming the user that a container runs as, with the privileges it may have and no more."""

from __future__ import annotations

import os
import signal

from lateen.cluster.node.shim import kernel

TYPE_CHECKING = False  # `typing` itself would cost every pod a megabyte
if TYPE_CHECKING:
    from typing import Any


def become(process: dict[str, Any]) -> None:
    """Drops to the process's ids and capabilities; must be the last thing before its program runs.

    `capabilities` is the mask of the bounding, permitted and effective sets, as the OCI runtimes set them up for
    Kubernetes: nothing is inheritable or ambient, so that a user other than root keeps none over its `execve`.
    """
    capabilities = int(process["capabilities"]) & kernel.bounding_capabilities()
    kernel.limit_bounding_capabilities(capabilities)
    kernel.keep_capabilities_over_setuid()
    os.setgroups(process["groups"])
    os.setresgid(process["gid"], process["gid"], process["gid"])
    os.setresuid(process["uid"], process["uid"], process["uid"])
    kernel.set_capabilities(capabilities, capabilities, 0)
    os.umask(0o022)
    if process["no_new_privileges"]:
        kernel.forbid_new_privileges()
    kernel.die_with_parent()


def reset_signals() -> None:
    """Python ignores some signals, and an ignored signal stays ignored in the program that is executed."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def find_program(name: str, env: dict[str, str], cwd: str) -> str:
    """The program's path, looked up in the container's PATH. Raises FileNotFoundError in the OCI runtimes' words."""
    if "/" in name:
        path = os.path.join(cwd, name)
        if not os.path.exists(path):
            raise FileNotFoundError(f'exec: "{name}": stat {name}: no such file or directory')
        if not os.access(path, os.X_OK) or os.path.isdir(path):
            raise PermissionError(f'exec: "{name}": permission denied')
        return path
    for directory in env.get("PATH", "").split(":"):
        path = os.path.join(directory or ".", name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f'exec: "{name}": executable file not found in $PATH')
