"""A pod and the world it talks to, in network namespaces of their own.

    world ──77── pod eth0        the pod's way out
    world ──80── pod eth1        its second interface
    vm    ──81── pod vm0         a virtual machine inside the pod

The world has 10.78.0.1 and 10.79.0.1 (fd78::1, fd79::1) too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from lateen.capture.command import capture
from lateen.testing.namespaces import Namespace, connect, namespace
from lateen.testing.reporters import reporter

APPLICATION = (22, 53, 80, 443, 8080, 8085, 9090, 15008)
PROXY = (15001, 15006, 15053)


class Network(msgspec.Struct, frozen=True):
    """The namespaces."""

    pod: Namespace
    world: Namespace
    vm: Namespace

    def capture(self, *words: str) -> None:
        """`istio-init` in the pod. Raises AssertionError when it fails."""
        assert self.capture_code(*words) == (0, "")

    def capture_code(self, *words: str) -> tuple[int, str]:
        """`istio-init` in the pod: its exit code, and what it says but for good news."""
        argv = ["--network-namespace", self.pod.path, "--log_output_level=error", *words]
        result = self.pod.run(lambda: CliRunner().invoke(capture, argv))
        return result.exit_code, result.output

    def state(self) -> str:
        """All that capture could have changed in the pod, without counters."""
        commands = ["ip rule", "ip -6 rule", "ip route show table all", "ip -6 route show table all", "ip address"]
        commands += [
            f"{each}-save" for each in ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy")
        ]
        texts = [self.pod.command(*words.split()) for words in commands if shutil.which(words.split()[0])]
        # Having been asked for once, iptables' own chains stay, empty.
        kept = [line for text in texts for line in text.splitlines() if not line.startswith(("#", "*", ":", "COMMIT"))]
        tables = self.pod.command("nft", "list", "tables").splitlines()
        return "\n".join([*kept, *(line for line in tables if "inet" in line)])


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    with namespace() as pod, namespace() as world, namespace() as vm:
        connect((pod, "eth0", "77.0.2"), (world, "eth0", "77.0.1"))
        connect((pod, "eth1", "80.0.2"), (world, "eth1", "80.0.1"))
        connect((pod, "vm0", "81.0.1"), (vm, "eth0", "81.0.2"))
        for number in ("78", "79"):
            world.command("ip", "address", "add", f"10.{number}.0.1/32", "dev", "lo")
            world.command("ip", "address", "add", f"fd{number}::1/128", "dev", "lo", "nodad")
        for inside, gateway in ((pod, "77"), (vm, "81")):
            inside.command("ip", "route", "add", "default", "via", f"10.{gateway}.0.1")
            inside.command("ip", "-6", "route", "add", "default", "via", f"fd{gateway}::1")
        world.command("ip", "route", "add", "10.81.0.0/24", "via", "10.77.0.2")
        world.command("ip", "-6", "route", "add", "fd81::/64", "via", "fd77::2")
        for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            pod.run(lambda path=f"/proc/sys/net/{setting}": Path(path).write_text("1"))
        with (
            reporter("pod", pod, APPLICATION, (53, 8080)),
            reporter("pod", pod, PROXY, (15053,), owner=1337),
            reporter("world", world, APPLICATION, (53, 8080)),
        ):
            yield Network(pod, world, vm)


def _renderers() -> list[str]:
    return ["nftables", *(f"iptables-{each}" for each in ("nft", "legacy") if shutil.which(f"iptables-{each}-restore"))]


@pytest.fixture(params=_renderers())
def renderer(request: pytest.FixtureRequest) -> list[str]:
    """The flags that choose what writes the rules."""
    name, _, variant = request.param.partition("-")
    return (
        ["--native-nftables=true"]
        if name == "nftables"
        else ["--native-nftables=false", "--force-iptables-binary", variant]
    )


@pytest.fixture
def clean(network: Network) -> Network:
    """The network, with nothing captured yet."""
    network.capture("--cleanup-only")
    return network
