"""A pod that calls a Service without pause and keeps count of what failed: the judge of interruptions."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from lateen.testing.local_cluster import CommandFailed, LocalCluster

_PROGRAM = """
import http.client, itertools, sys, time
failed = 0
for number in itertools.count(1):
    try:
        connection = http.client.HTTPConnection(sys.argv[1], 80, timeout=10)
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 200:
            raise OSError(f"status {answer.status}")
    except OSError as error:
        failed += 1
        print(f"failure {number} {error!r}")
    print(f"call {number} {failed}", flush=True)
    time.sleep(0.02)
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many calls were made, and the lines that tell of the failed ones."""

    calls: int
    failures: tuple[str, ...]


class Traffic:
    """A pod `name` that calls `http://<host>/`, a new connection each time, name resolution included.

    Every call is a line of its log, so that the log's own completeness can be judged as well.
    """

    def __init__(self, cluster: LocalCluster, namespace: str, name: str, host: str, *, node: str = "") -> None:
        self._cluster = cluster
        self._in = ("-n", namespace)
        self.name = name
        spec: dict[str, object] = {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "python", "command": ["python3", "-c", _PROGRAM, host]}],
        }
        if node:
            spec["nodeName"] = node
        self._pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}

    def start(self) -> None:
        """Returns once calls are being made."""
        self._cluster.apply(json.dumps(self._pod), *self._in)
        self._cluster.kubectl("wait", f"pod/{self.name}", "--for=condition=Ready", "--timeout=60s", *self._in)
        self.until_more(10)

    def tally(self) -> Tally:
        """Raises AssertionError when lines of the log are missing."""
        lines = self._cluster.kubectl("logs", self.name, *self._in).splitlines()
        calls = [int(line.split()[1]) for line in lines if line.startswith("call ")]
        assert calls == list(range(1, len(calls) + 1)), "the log has lost lines"
        return Tally(len(calls), tuple(line for line in lines if line.startswith("failure ")))

    def until_more(self, calls: int, timeout: float = 60.0) -> None:
        """Waits until `calls` more calls were made."""
        deadline = time.monotonic() + timeout
        wanted = None
        while True:
            made = self.tally().calls
            wanted = made + calls if wanted is None else wanted
            if made >= wanted:
                return
            if time.monotonic() > deadline:
                raise CommandFailed(f"pod {self.name} makes no calls any more: {made}, wanted {wanted}")
            time.sleep(0.1)
