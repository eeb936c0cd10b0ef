"""A mesh for tests: Lateen installed in a `lateen cluster` by its own command line, driven as a user would."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lateen.testing.local_cluster import CommandFailed, LocalCluster

T = TypeVar("T")
REPOSITORY = Path(__file__).parents[3]
"""Where samples/ is."""


class LocalMesh(LocalCluster):
    """`with LocalMesh(nodes=2) as mesh: mesh.install("--set", "profile=demo")`.

    Everything of LocalCluster besides; what is installed goes with the cluster.
    """

    def command(self, *arguments: str, stdin: str | None = None, timeout: float = 400.0) -> str:
        """Standard output of `lateen ARGUMENTS`. Raises CommandFailed, with what it said, when it fails."""
        done = self.try_command(*arguments, stdin=stdin, timeout=timeout)
        if done.returncode != 0:
            raise CommandFailed(f"lateen {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def try_command(
        self, *arguments: str, stdin: str | None = None, timeout: float = 400.0
    ) -> subprocess.CompletedProcess[str]:
        """`lateen ARGUMENTS`, whether it succeeds or not. `timeout` in seconds."""
        return self.attempt([sys.executable, "-m", "lateen.cli.main", *arguments], stdin=stdin, timeout=timeout)

    def install(self, *options: str) -> str:
        """`lateen install OPTIONS -y`: what it said."""
        return self.command("install", *options, "-y")

    def shell(self, command: str, *, timeout: float = 400.0) -> str:
        """Standard output of a line of documentation, typed into a shell in the repository's root.

        `kubectl`, `lateen` and `istioctl` are about this mesh. Raises CommandFailed when it fails.
        """
        environment = self.environment()
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            env=environment,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            raise CommandFailed(f"$ {command}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def label_for_injection(self, namespace: str) -> None:
        self.kubectl("label", "namespace", namespace, "istio-injection=enabled", "--overwrite")

    def apply_file(self, path: Path | str, *arguments: str) -> str:
        return self.kubectl("apply", "-f", str(path), *arguments)

    def until_available(self, namespace: str, *, timeout: float = 240.0) -> None:
        """Waits until every Deployment of a namespace is rolled out."""
        for each in self.get("deployments", "-n", namespace)["items"]:
            self.kubectl(
                "rollout", "status", f"deployment/{each['metadata']['name']}", "-n", namespace,
                f"--timeout={timeout:.0f}s", timeout=timeout + 10,
            )  # fmt: skip

    def pod(self, namespace: str, selector: str) -> str:
        """The name of a running pod that is not on its way out. Raises CommandFailed when there is none for long."""

        def look() -> str:
            for each in self.get("pods", "-n", namespace, "-l", selector)["items"]:
                if "deletionTimestamp" not in each["metadata"] and each["status"].get("phase") == "Running":
                    return str(each["metadata"]["name"])
            return ""

        return self.until(look, f"a running pod with {selector} in {namespace}")

    def exec(self, namespace: str, target: str, container: str, *command: str, timeout: float = 120.0) -> str:
        """Output of a command in a container of a pod (or of `deploy/NAME`)."""
        return self.kubectl("exec", "-n", namespace, target, "-c", container, "--", *command, timeout=timeout)

    def gateway_address(self, name: str = "istio-ingressgateway", namespace: str = "istio-system") -> str:
        """The load balancer's address, which this machine reaches."""
        self.wait_for("{.status.loadBalancer.ingress[0].ip}", "service", name, "-n", namespace)
        return str(self.get("service", name, "-n", namespace)["status"]["loadBalancer"]["ingress"][0]["ip"])

    def debug(self, page: str) -> Any:
        """A page of istiod's /debug, read as JSON."""
        said = self.kubectl(
            "exec", "-n", "istio-system", "deploy/istiod", "--", "curl", "-s", f"http://localhost:15014/debug/{page}"
        )
        return json.loads(said)

    def until(self, look: Callable[[], T], what: str = "", *, timeout: float = 120.0) -> T:
        """Looks again and again until there is something true to see, and returns it. Raises CommandFailed.

        For what nothing announces: the outcome of requests, the tables of a kernel. A look fails when a command or a
        request does, or when an answer is not whole. `timeout` is in seconds, and ends no look.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                if found := look():
                    return found
                last: object = found
            except (CommandFailed, OSError, http.client.HTTPException, subprocess.TimeoutExpired, ValueError) as error:
                last = error
            if time.monotonic() > deadline:
                raise CommandFailed(f"not within {timeout:.0f} s: {what or look}; last: {last}")
            time.sleep(0.1)


def described(mesh: LocalMesh, namespaces: Sequence[str]) -> str:
    """What a reader of a failed test wants to know of the pods of some namespaces."""
    parts = []
    for namespace in namespaces:
        parts.append(mesh.try_kubectl("get", "pods", "-n", namespace, "-o", "wide").stdout)
        parts.append(mesh.try_kubectl("get", "events", "-n", namespace).stdout)
    return "\n".join(parts)


def failed_requests(mesh: LocalMesh, namespaces: Sequence[str], lines: int = 8) -> str:
    """What the access logs of all proxies say of requests that were not answered with 200; the last ones of each."""
    parts = []
    for namespace in namespaces:
        for each in mesh.get("pods", "-n", namespace)["items"]:
            name = each["metadata"]["name"]
            log = mesh.try_kubectl("logs", "-n", namespace, name, "-c", "istio-proxy", "--tail=5000").stdout
            found = [line for line in log.splitlines() if line.startswith("[") and '" 200 ' not in line]
            if found:
                parts += [f"--- {namespace}/{name}", *found[-lines:]]
    return "\n".join(parts)
