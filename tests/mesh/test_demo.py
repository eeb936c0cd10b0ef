"""`make demo`, as people run it, with its own eyes on the outcome."""

from __future__ import annotations

import os
import re
import signal
import subprocess

from lateen.testing.local_mesh import REPOSITORY


def test_demo() -> None:
    """In a cluster and a home of its own. It ends with an error when traffic is not as it should be."""
    environment = {key: value for key, value in os.environ.items() if key not in ("LATEEN_HOME", "KUBECONFIG")}
    with subprocess.Popen(
        ["scripts/demo", "--check"],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as demo:
        try:
            said, _ = demo.communicate(timeout=600)
        except BaseException:
            # It takes its cluster down on its way out.
            os.killpg(demo.pid, signal.SIGTERM)
            demo.wait(120)
            raise
    assert demo.returncode == 0, said
    assert re.search(r"http://[\d.]+/productpage", said), said
    shares = {version: int(count) for version, count in re.findall(r"^  (v\d) +#* +(\d+)$", said, re.MULTILINE)}
    assert set(shares) == {"v1", "v2", "v3"}, said
    assert sum(shares.values()) == 60, said
    called = r"mutual_tls +spiffe://\S+/sa/bookinfo-productpage +-> spiffe://\S+/sa/bookinfo-reviews"
    assert re.search(called, said), said
    agents = [float(size) for size in re.findall(r"(\d+\.\d) MiB +\d+\.\d MiB", said)]
    assert len(agents) == 6, said
    assert all(0 < size < 25 for size in agents), said
    assert said.count("  kubectl ") + said.count("  lateen ") >= 5, said
