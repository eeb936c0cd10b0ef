"""What of the machine a cluster could leave behind, as comparable values."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def processes(home: Path) -> set[str]:
    """Processes of clusters in `home`: their command line names it or, for what runs in pods, their mounts do."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            mounts = (path / "mountinfo").read_text(errors="replace")
        except OSError:
            continue
        if line and int(path.name) != os.getpid() and (str(home) in line or str(home) in mounts):
            found.add(f"{path.name} {line}")
    return found


def snapshot(home: Path) -> dict[str, object]:
    """Everything `down` promises to put back; `home` is where the clusters under test keep their state."""
    links = [link["ifname"] for link in json.loads(run("ip", "-j", "link"))]
    return {
        "processes": processes(home),
        "namespaces": sorted(run("ip", "netns", "list").split()),
        "interfaces": sorted(links),
        "addresses": sorted(line.split("valid_lft")[0] for line in run("ip", "-o", "addr").splitlines()),
        "routes": _routes("ip", "route"),
        "routes6": _routes("ip", "-6", "route"),
        "rules": sorted(run("ip", "rule").splitlines()),
        "nftables": re.sub(r"packets \d+ bytes \d+", "", run("nft", "list", "ruleset")),
        "mounts": sorted(line.split(" ", 3)[3] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        "forwarding6": Path("/proc/sys/net/ipv6/conf/all/forwarding").read_text(),
        "cgroups": sorted(str(p) for p in Path("/sys/fs/cgroup").glob("**/*lateen*")),
        "run": sorted(str(p) for p in Path("/run").glob("lateen/**/*")),
        "state": sorted(str(p.relative_to(home)) for p in home.glob("clusters/*/**/*")),
    }


def snapshot_once_it_is(before: dict[str, object], home: Path, seconds: float = 60.0) -> dict[str, object]:
    """The machine, waited for until it is as it was before, for so long at most.

    The kernel takes namespaces and what is in them apart in its own time, after the last process has left them.
    """
    deadline = time.monotonic() + seconds
    while (now := snapshot(home)) != before and time.monotonic() < deadline:
        time.sleep(0.2)
    return now


def _routes(*command: str) -> list[str]:
    """Without what counts down by itself."""
    listed = run(*command, "show", "table", "all")
    return sorted(re.sub(r" expires \S+", "", line) for line in listed.splitlines())
