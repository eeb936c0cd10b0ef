"""`pilot-agent proxy` as a process for tests, in a directory that stands for a pod's file system, on free ports."""

from __future__ import annotations

import base64
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

from cryptography import x509

from lateen.testing.free_port import free_port


class AgentProcess:
    """`with AgentProcess(ca_address=..., discovery_address=..., roots=PEM) as agent: agent.until(agent.is_ready)`.

    All methods block: from a coroutine use `asyncio.to_thread`.
    """

    def __init__(
        self,
        *,
        ca_address: str,
        discovery_address: str,
        roots: str,
        token: str = "token",
        role: str = "sidecar",
        arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        proxy_config: Mapping[str, Any] | None = None,
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="lateen-agent-")
        self.root = Path(self._directory.name)
        """What is / in a container."""
        self.status_port, self.admin_port = free_port(), free_port()
        self.health_port, self.prometheus_port = free_port(), free_port()
        config = {
            "discoveryAddress": discovery_address,
            "proxyAdminPort": self.admin_port,
            "statusPort": self.status_port,
            **(proxy_config or {}),
        }
        self._environment = {
            "PATH": os.environ.get("PATH", ""),
            "POD_NAME": "app-1",
            "POD_NAMESPACE": "default",
            "SERVICE_ACCOUNT": "app",
            "INSTANCE_IP": "10.1.2.3",
            "CA_ADDR": ca_address,
            "ISTIOD_SAN": "istiod.istio-system.svc",
            "PROXY_CONFIG": json.dumps(config),
            "ENVOY_STATUS_PORT": str(self.health_port),
            "ENVOY_PROMETHEUS_PORT": str(self.prometheus_port),
            **(environment or {}),
        }
        self._command = (
            sys.executable, "-I", "-m", "lateen.cli.pilot_agent", "proxy", role, "--concurrency", "1", *arguments
        )  # fmt: skip
        if token:
            self.write("var/run/secrets/tokens/istio-token", token)
        if roots:
            self.write("var/run/secrets/istio/root-cert.pem", roots)
        self._log = self.root / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def restart(self, timeout: float = 90.0) -> None:
        """Another container in the same pod: ends as a kubelet ends one, and starts again. Seconds."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGTERM)
        self.ended(timeout)
        self._start()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.root, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"the agent's log:\n{self.log()}")
        keeper = self.keeper
        if keeper.poll() is None:
            # The keeper must not see its agent's end: it would start another one.
            keeper.send_signal(signal.SIGSTOP)
            for pid in (*self._below(keeper.pid), keeper.pid):
                _kill(pid)
        keeper.wait()
        self._directory.cleanup()

    # --- the pod's files -----------------------------------------------------------------------------------------

    def write(self, path: str, text: str) -> None:
        """As a kubelet does: the file is replaced as a whole."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        (file.parent / "new").write_text(text)
        (file.parent / "new").replace(file)

    def certificate(self) -> x509.Certificate | None:
        """In force now; None before the first."""
        try:
            found = self._secret("default.yaml")["tls_certificate"]
        except FileNotFoundError:
            return None
        return x509.load_pem_x509_certificate(base64.b64decode(found["certificate_chain"]["inline_bytes"]))

    def roots(self) -> list[x509.Certificate]:
        """That Envoy trusts now."""
        found = self._secret("rootca.yaml")["validation_context"]["trusted_ca"]["inline_bytes"]
        return x509.load_pem_x509_certificates(base64.b64decode(found))

    @property
    def sds(self) -> Path:
        return self.root / "etc/istio/proxy/sds"

    def _secret(self, name: str) -> Any:
        return json.loads((self.sds / name).read_text())["resources"][0]

    # --- the processes -------------------------------------------------------------------------------------------

    @property
    def keeper(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def agent(self) -> int:
        """The agent's process; there may be none for a moment (AssertionError)."""
        found = [pid for pid in _children(self.keeper.pid) if pid != self.envoy]
        assert len(found) == 1, f"the keeper's children: {found}"
        return found[0]

    @property
    def envoy(self) -> int:
        """Envoy's process; 0 when there is none."""
        found: int = self.record().get("pid", 0)
        return found

    def record(self) -> dict[str, Any]:
        """What agents leave for the next one of their pod; empty while Envoy does not run."""
        try:
            found: dict[str, Any] = json.loads((self.root / "etc/istio/proxy/envoy-process.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def signal(self, number: signal.Signals) -> None:
        """To the first process, as a kubelet does."""
        self.keeper.send_signal(number)

    def ended(self, timeout: float = 90.0) -> int:
        """Waits for the end: the exit status. Seconds."""
        return self.keeper.wait(timeout)

    def memory(self, pid: int, kind: str = "Pss") -> int:
        """Bytes of a process: `Rss` with what it shares, `Pss` with its part of that."""
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))

    def _below(self, pid: int) -> list[int]:
        children = _children(pid)
        return [below for child in children for below in self._below(child)] + children

    # --- looking -------------------------------------------------------------------------------------------------

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def get(self, port: int, path: str, method: str = "GET") -> tuple[int, str]:
        """Status and body. Raises OSError when there is no answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def is_ready(self) -> bool:
        """As the kubelet asks: through Envoy."""
        return self.get(self.health_port, "/healthz/ready")[0] == 200

    def until(self, holds: Callable[[], Any], timeout: float = 90.0) -> None:
        """Waits for a condition; while something does not answer it does not hold. Seconds."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                if holds():
                    return
            except (OSError, AssertionError):
                pass
            ended = self.keeper.poll()
            assert ended is None, f"the keeper ended with {ended}:\n{self.log()}"
            assert time.monotonic() < deadline, f"not within {timeout:.0f} s:\n{self.log()}"
            time.sleep(0.02)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
