"""A `lateen cluster` for tests: brought up and down through the command line, driven with the real kubectl."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


def kubectl_version() -> tuple[int, int]:
    """Major and minor version of the machine's kubectl: tests of newer features are skipped with an older client."""
    done = subprocess.run(["kubectl", "version", "--client", "-o", "json"], capture_output=True, text=True, check=True)
    major, minor = json.loads(done.stdout)["clientVersion"]["gitVersion"].removeprefix("v").split(".")[:2]
    return int(major), int(minor)


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
        # No TemporaryDirectory: that goes with this object, also while the cluster in it is still there, and then
        # nothing can take it down any more.
        self._is_temporary = home is None
        self.home = home if home is not None else Path(tempfile.mkdtemp(prefix="lateen-test-"))
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
        """Takes the cluster down if it is up, and then removes the temporary home."""
        if (self.root / "cluster.json").exists():
            self.down()
        if self._is_temporary:
            shutil.rmtree(self.home, ignore_errors=True)

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
        return self.attempt(["kubectl", *arguments], stdin=stdin, timeout=timeout)

    def attempt(self, command: Sequence[str], *, stdin: str | None, timeout: float) -> subprocess.CompletedProcess[str]:
        """A command about this cluster, whether it succeeds or not. `timeout` in seconds."""
        return subprocess.run(
            command,
            env=self.environment(),
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def until_succeeds(self, *arguments: str, timeout: float = 60.0) -> str:
        """Runs kubectl again and again until it succeeds, as with a server or node that is on its way back."""
        deadline = time.monotonic() + timeout
        while (done := self.try_kubectl(*arguments)).returncode != 0:
            if time.monotonic() > deadline:
                raise CommandFailed(f"kubectl {' '.join(arguments)} for {timeout:.0f} s: {done.stdout}{done.stderr}")
            time.sleep(0.05)
        return done.stdout

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

    def wait_for(self, condition: str, *arguments: str, timeout: float = 60.0) -> None:
        """Watches an object, or those of a selector, until one shows the condition: `{.status.phase}=Running`.

        As `kubectl wait --for=jsonpath=...`, which clients before 1.23 do not have; a path alone waits for any value.
        An object that does not exist yet is waited for. Raises CommandFailed after `timeout` seconds.
        """
        path, brace, value = condition.partition("}=")
        path += brace.removesuffix("=")
        deadline = time.monotonic() + timeout
        seen = ""
        while time.monotonic() < deadline:
            # The mark tells values from messages about the watch, which arrive in the same stream.
            with self.start_kubectl("get", *arguments, "-w", "-o", f'jsonpath=shown={path}{{"\\n"}}') as watch:
                timer = threading.Timer(deadline - time.monotonic(), watch.kill)
                timer.start()
                try:
                    assert watch.stdout is not None
                    for line in watch.stdout:
                        seen = line
                        mark, _, shown = line.rstrip("\n").partition("=")
                        if mark == "shown" and (shown == value if brace == "}=" else shown):
                            return
                finally:
                    timer.cancel()
                    watch.kill()
            time.sleep(0.1)
        raise CommandFailed(f"{' '.join(arguments)} did not show {condition} within {timeout:.0f} s; last: {seen}")

    def until_gone(self, *arguments: str, timeout: float = 60.0) -> None:
        """`kubectl wait --for=delete`; clients before 1.23 fail when all is gone already. Raises CommandFailed."""
        command = ("wait", "--for=delete", *arguments, f"--timeout={timeout:.0f}s")
        done = self.try_kubectl(*command, timeout=timeout + 30)
        gone = ("no matching resources found", "(NotFound)")
        if done.returncode != 0 and not any(said in done.stderr for said in gone):
            raise CommandFailed(f"kubectl {' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")

    def token(self, account: str, namespace: str, **spec: Any) -> str:
        """A token of a ServiceAccount, as `kubectl create token` (1.24) asks for one; `spec` is the TokenRequest's."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = json.loads(self.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(request)))
        return str(answer["status"]["token"])

    def without_identity(self) -> tuple[str, ...]:
        """Options with which kubectl reaches the API server as nobody: add `--token` or a client certificate.

        A token alone would not do: the kubeconfig's client certificate goes before it.
        """
        server = self.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
        authority = str(self.root / "pki" / "ca.crt")
        return ("--kubeconfig", "/dev/null", "--server", server, "--certificate-authority", authority)

    def user(self, *options: str) -> str:
        """Whom the API server takes us for with these options of kubectl, as `kubectl auth whoami` (1.28) says."""
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = json.loads(self.kubectl(*options, "create", "--raw", path, "-f", "-", stdin=json.dumps(review)))
        return str(answer["status"]["userInfo"]["username"])

    def namespace(self) -> str:
        """A new namespace of its own for one test."""
        name = f"ns-{uuid.uuid4().hex[:8]}"
        self.kubectl("create", "namespace", name)
        return name

    def pid_of(self, component: str) -> int:
        """The PID of one of the cluster's processes, as its PID file says."""
        return int((self.root / "run" / f"{component}.pid").read_text().split()[0])

    def kill(self, component: str) -> int:
        """`kill -9` of one of the cluster's processes. Returns the PID it had, once it is gone."""
        pid = self.pid_of(component)
        descriptor = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], 30)
        finally:
            os.close(descriptor)
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
