"""What the demo shows at its end: where to look, who answered, whom the mesh vouched for, what it costs.

All of it comes from the mesh by ways that are open to anybody: requests through the gateway, the metrics of sidecars,
and /proc within their containers.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from typing import Any

REQUESTS = 60
VERSIONS = 3
SECONDS = 60
BAR = 30
_MEMORY = """
import glob
for path in glob.glob('/proc/[0-9]*'):
    try:
        command = open(path + '/cmdline').read().replace(chr(0), ' ')
        size = sum(int(line.split()[1]) for line in open(path + '/smaps_rollup') if line.startswith('Pss:'))
        fields = open(path + '/stat').read().rpartition(')')[2].split()
        print('envoy' if 'envoy/_bin' in command else 'agent' if 'lateen.agent' in command else '-',
              size, int(fields[11]) + int(fields[12]))
    except (OSError, ValueError):
        pass
"""


def kubectl(*arguments: str) -> str:
    return subprocess.run(["kubectl", *arguments], check=True, capture_output=True, text=True).stdout


def got(*arguments: str) -> Any:
    return json.loads(kubectl("get", *arguments, "-o", "json"))


def fetch(url: str, cookie: str = "") -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"cookie": cookie}), timeout=15) as answer:
        return str(answer.read().decode())


def version(url: str) -> str:
    """Which version of reviews answered, as the page tells."""
    who = re.search(r"reviews-(v\d)", fetch(url))
    return who.group(1) if who else "failed"


def until_all_serve(url: str) -> None:
    """Waits until every version has answered: what is ready is known to all proxies a moment later."""
    seen: set[str] = set()
    deadline = time.monotonic() + SECONDS
    while len(seen) < VERSIONS and time.monotonic() < deadline:
        try:
            seen.add(version(url))
        except OSError:
            time.sleep(0.1)
        seen.discard("failed")


def versions(url: str) -> Counter[str]:
    """Which version of reviews answered how often."""
    return Counter(version(url) for _ in range(REQUESTS))


def peers() -> list[tuple[str, str, str]]:
    """(who called, whom, how the connection was secured), of requests that the servers' proxies have counted."""
    seen = set()
    for pod in got("pods", "-n", "default")["items"]:
        text = kubectl("exec", pod["metadata"]["name"], "-c", "istio-proxy", "--", "pilot-agent", "request", "GET",
                       "stats/prometheus")  # fmt: skip
        for line in text.splitlines():
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            if "istio_requests_total" in line and labels.get("reporter") == "destination":
                seen.add((labels["source_principal"], labels["destination_principal"],
                          labels["connection_security_policy"]))  # fmt: skip
    return sorted(seen)


def costs() -> list[tuple[str, float, float, float]]:
    """(pod, MiB of the agent, MiB of Envoy, CPU seconds of both since their start) of each sidecar."""
    found = []
    for pod in got("pods", "-n", "default")["items"]:
        name = pod["metadata"]["name"]
        said = kubectl("exec", name, "-c", "istio-proxy", "--", "python3", "-I", "-S", "-c", _MEMORY)
        sizes: Counter[str] = Counter()
        ticks = 0
        for line in said.splitlines():
            what, size, used = line.split()
            if what != "-":
                sizes[what] += int(size)
                ticks += int(used)
        found.append((name, sizes["agent"] / 1024, sizes["envoy"] / 1024, ticks / 100))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, required=True, help="how long everything has taken so far")
    arguments = parser.parse_args()
    service = got("service", "istio-ingressgateway", "-n", "istio-system")
    address = service["status"]["loadBalancer"]["ingress"][0]["ip"]
    url = f"http://{address}/productpage"

    print(f"\nThe product page: {url}")
    until_all_serve(url)
    share = versions(url)
    print(f"\n{REQUESTS} requests, and which reviews answered:")
    for version, count in sorted(share.items()):
        print(f"  {version:7} {'#' * round(BAR * count / REQUESTS):{BAR}} {count:3}")

    print("\nWho called whom, as the servers' proxies have seen it in the clients' certificates:")
    found = peers()
    width = max((len(source) for source, _, _ in found), default=0)
    for source, destination, security in found:
        print(f"  {security:12} {source:{width}} -> {destination}")

    print("\nWhat each sidecar takes (memory shared with others counted by share):")
    print(f"  {'pod':34} {'agent':>9} {'Envoy':>9} {'CPU so far':>11}")
    for name, agent, envoy, seconds in costs():
        print(f"  {name:34} {agent:5.1f} MiB {envoy:5.1f} MiB {seconds:9.2f} s")

    print(f"""
From nothing to here: {arguments.seconds:.0f} s. Try next:
  kubectl apply -f samples/bookinfo/networking/virtual-service-reviews-90-10.yaml        # a canary: 10 % for v2
  kubectl apply -f samples/bookinfo/networking/virtual-service-ratings-test-delay.yaml   # a fault, for the user jason
  kubectl apply -f samples/bookinfo/policy/productpage-only.yaml                         # who may call reviews
  kubectl exec deploy/reviews-v1 -c istio-proxy -- curl -s localhost:15020/stats/prometheus | grep istio_requests
  lateen proxy-config routes deploy/productpage-v1                                       # what a proxy was told
`make demo-down` removes everything.""")
    secured = bool(found) and all(security == "mutual_tls" for _, _, security in found)
    if "failed" in share or len(share) < VERSIONS or not secured:
        print("\nerror: not as it should be: see above", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(error.cmd)}\n{error.stderr}", file=sys.stderr)
        sys.exit(1)
    except (urllib.error.URLError, KeyError) as error:
        print(f"error: the gateway does not answer: {error!r}", file=sys.stderr)
        sys.exit(1)
