"""What the node's HTTPS API needs of the running pods: logs on disk, processes to talk to, namespaces to dial in.

`lateen.cluster.node.pods.Pods` implements `Runtime`. Every operation names its container as the kubelet's URLs do:
namespace, pod, container. A pod's uid may be given to refuse a successor of the same name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lateen.cluster.objects import Obj


@dataclass(frozen=True, slots=True)
class LogFiles:
    """One attempt's log on disk, in CRI format (`<RFC 3339 with nanoseconds> stdout F text`).

    When a file has reached its bound it is renamed to `<restart>.log.1` (replacing the previous one) and a new
    `<restart>.log` starts; `paths` lists what exists, oldest first. `path` is where new lines appear: a follower
    reopens it when its inode changes.
    """

    path: Path
    paths: tuple[Path, ...]
    finished: asyncio.Event
    """Set when the attempt has ended and its last line is on disk: a follower stops at the end of the file."""


class Process(Protocol):
    """A process with streams, in a container: an exec'd one, or the container's own when attached.

    Streams that were not asked for are None. With a tty there is no stderr: everything is on `stdout`.
    The owner must `close()` it; an exec'd process that still runs then is killed, an attached one goes on.
    """

    @property
    def stdin(self) -> asyncio.StreamWriter | None: ...

    @property
    def stdout(self) -> asyncio.StreamReader | None: ...

    @property
    def stderr(self) -> asyncio.StreamReader | None: ...

    async def resize(self, columns: int, rows: int) -> None:
        """Sets the terminal's size; without a tty nothing happens."""
        ...

    async def wait(self) -> int:
        """Waits for the end: exit code, or 128 + signal number. Attached: 0 when the container's output ended."""
        ...

    async def close(self) -> None: ...


class Runtime(Protocol):
    """The node's pods as its HTTPS API sees them. All errors are `StatusError`."""

    def pods(self) -> list[Obj]:
        """The pods of this node with their current status (the kubelet's `/pods`)."""
        ...

    def find_pod(self, namespace: str, pod: str, uid: str = "") -> Obj:
        """The pod as last seen, with the node's own current status. Raises not found."""
        ...

    def logs(self, namespace: str, pod: str, container: str, *, previous: bool = False, uid: str = "") -> LogFiles:
        """The current (or previous) attempt's log. Raises not found for an unknown pod, bad request with the
        kubelet's words for an unknown container, one that has not started yet or has no previous attempt."""
        ...

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bool = False,
        stdout: bool = True,
        stderr: bool = True,
        tty: bool = False,
        uid: str = "",
    ) -> Process:
        """Starts a program in the container's namespaces, as its user, with its environment and limits.

        Raises not found (pod, container, or one that does not run); a program that cannot be started raises
        internal error with the words of the OCI runtime (`exec: "x": executable file not found in $PATH`).
        """
        ...

    async def attach(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        stdin: bool = False,
        stdout: bool = True,
        stderr: bool = True,
        uid: str = "",
    ) -> Process:
        """Joins the container's own streams. Whether there is a terminal is the container's `tty`, not a choice.

        Raises as `exec`; stdin towards a container without `stdin: true` is bad request.
        """
        ...

    def network_namespace(self, namespace: str, pod: str, uid: str = "") -> Path | None:
        """The path of the pod's network namespace, to enter (`setns`) for port-forward dialing to its loopback.

        None: the pod uses the node's own (hostNetwork). Raises not found, bad request when the pod is not running.
        """
        ...
