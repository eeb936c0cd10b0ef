"""A `lateen cluster` for tests: brought up and down through the command line, driven with the real kubectl."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class CommandFailed(AssertionError):
    """A command that was expected to succeed did not; the message has its output."""


class LocalCluster:
    """`with LocalCluster(nodes=2) as cluster: cluster.kubectl("get", "pods")`.

    `home` is where clusters keep their state: clusters that peer with one another share one. It is a new temporary
    directory by default.
    """

    def __init__(
        self, *, name: str | None = None, nodes: int = 1, home: Path | None = None, options: Sequence[str] = ()
    ):
        self.name = name or f"t{uuid.uuid4().hex[:8]}"
        self._nodes = nodes
        self._options = options
        self._temporary = tempfile.TemporaryDirectory(prefix="lateen-test-") if home is None else None
        self.home = home if home is not None else Path(self._temporary.name if self._temporary else "")
        self.kubeconfig = self.home / f"{self.name}.kubeconfig"
        self.root = self.home / "clusters" / self.name

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def up(self, *options: str) -> str:
        """`lateen cluster up`; again on a cluster that is down with its state kept."""
        self.lateen("up", "--nodes", str(self._nodes), *self._options, *options, "--kubeconfig", str(self.kubeconfig))
        return self.name

    def down(self, *options: str) -> None:
        self.lateen("down", *options, "--kubeconfig", str(self.kubeconfig))

    def close(self) -> None:
        """Takes the cluster down if it is up, and removes the temporary home."""
        if (self.root / "cluster.json").exists():
            self.down()
        if self._temporary is not None:
            self._temporary.cleanup()

    def lateen(self, verb: str, *arguments: str) -> str:
        """`lateen cluster VERB --name <this> ...`: its output. Raises CommandFailed with the cluster's logs."""
        command = [sys.executable, "-m", "lateen.cli.main", "cluster", verb, "--name", self.name, *arguments]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CommandFailed(f"{' '.join(command)}\n{done.stdout}{done.stderr}\n{self._log_ends()}")
        return done.stdout

    def environment(self) -> dict[str, str]:
        """The environment for commands against this cluster and no other."""
        return {**os.environ, "LATEEN_HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig), "NO_COLOR": "1"}

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 90.0) -> str:
        """kubectl's standard output. Raises CommandFailed, with what it said, when it fails."""
        done = self.try_kubectl(*arguments, stdin=stdin, timeout=timeout)
        if done.returncode != 0:
            raise CommandFailed(f"kubectl {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def try_kubectl(
        self, *arguments: str, stdin: str | None = None, timeout: float = 90.0
    ) -> subprocess.CompletedProcess[str]:
        """kubectl, whether it succeeds or not. `timeout` in seconds."""
        return subprocess.run(
            ["kubectl", *arguments],
            env=self.environment(),
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start_kubectl(self, *arguments: str) -> subprocess.Popen[str]:
        """A kubectl that runs until it is ended: port-forward, logs -f, get -w."""
        return subprocess.Popen(
            ["kubectl", *arguments],
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )

    def get(self, *arguments: str) -> Any:
        """`kubectl get ... -o json`, read."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, manifest: str, *arguments: str) -> str:
        """`kubectl apply -f -`."""
        return self.kubectl("apply", "-f", "-", *arguments, stdin=manifest)

    def namespace(self) -> str:
        """A new namespace of its own for one test."""
        name = f"ns-{uuid.uuid4().hex[:8]}"
        self.kubectl("create", "namespace", name)
        return name

    def pid_of(self, component: str) -> int:
        """The PID of one of the cluster's processes, as its PID file says."""
        return int((self.root / "run" / f"{component}.pid").read_text().split()[0])

    def kill(self, component: str) -> int:
        """`kill -9` of one of the cluster's processes. Returns the PID it had."""
        pid = self.pid_of(component)
        os.kill(pid, signal.SIGKILL)
        return pid

    def until_replaced(self, component: str, pid: int, timeout: float = 60.0) -> None:
        """Waits until the supervisor has started the component anew, as another process than `pid`."""
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(OSError, ValueError, IndexError):
                if self.pid_of(component) != pid:
                    return
            if time.monotonic() > deadline:
                raise CommandFailed(f"{component} was not started again\n{self._log_ends()}")
            time.sleep(0.02)

    def _log_ends(self) -> str:
        ends = []
        for path in sorted(self.root.glob("logs/*.log")):
            lines = path.read_text(errors="replace").splitlines()[-30:]
            ends.append("\n".join([f"--- {path.name}", *lines]))
        return "\n".join(ends)
