"""Capture is applied again and again, changed, proven and taken back."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest

from lateen.testing.namespaces import connect, namespace
from lateen.testing.reporters import ask

pytestmark = pytest.mark.cluster

ALL = ("-i", "*", "-b", "*")
RUN = "from lateen.capture.command import capture; capture()"


def place(network, address: str = "10.78.0.1") -> str:
    arrival = ask(network.pod, address, 80)
    return f"{arrival.place}:{arrival.port}" if arrival else "nowhere"


@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
def test_taking_back_leaves_the_namespace_as_it_was(clean, renderer: list[str], mode: str) -> None:
    before = clean.state()
    clean.capture(*renderer, *ALL, "-m", mode, "--redirect-dns", "--capture-all-dns", "--drop-invalid", "-k", "vm0")
    assert clean.state() != before
    clean.capture("--cleanup-only")
    assert clean.state() == before
    clean.capture("--cleanup-only")
    assert clean.state() == before


@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
def test_running_again_changes_nothing(clean, renderer: list[str], mode: str) -> None:
    clean.capture(*renderer, *ALL, "-m", mode, "--redirect-dns", "--capture-all-dns")
    once, rules = clean.state(), clean.pod.command("nft", "-s", "list", "ruleset")
    clean.capture(*renderer, *ALL, "-m", mode, "--redirect-dns", "--capture-all-dns")
    assert clean.state() == once
    if "--native-nftables=true" in renderer:
        assert clean.pod.command("nft", "-s", "list", "ruleset") == rules


def test_other_options_replace_the_rules(clean, renderer: list[str]) -> None:
    clean.capture(*renderer, *ALL, "-m", "TPROXY", "--redirect-dns", "--capture-all-dns")
    clean.capture(*renderer, "-i", "10.79.0.0/16")
    assert place(clean) == "world:80"
    assert place(clean, "10.79.0.1") == "pod:15001"
    assert "fwmark" not in clean.state()


def test_another_renderer_replaces_the_rules(clean, renderer: list[str]) -> None:
    clean.capture(*renderer, *ALL)
    clean.capture("--native-nftables=true", "-i", "10.79.0.0/16")
    assert place(clean) == "world:80"
    clean.capture(*renderer, "-i", "10.78.0.0/16")
    assert place(clean) == "pod:15001"
    assert place(clean, "10.79.0.1") == "world:80"


def test_rules_of_others_stay(clean, renderer: list[str]) -> None:
    program = f"iptables-{renderer[2]}" if len(renderer) > 1 else ""
    theirs = (program, "-t", "nat", "{}", "OUTPUT", "-p", "tcp", "--dport", "4444", "-j", "ACCEPT")
    if program:
        clean.pod.command(*(word.format("-A") for word in theirs))
    else:
        clean.pod.command("nft", "add", "table", "inet", "theirs")
    before = clean.state()
    try:
        clean.capture(*renderer, *ALL)
        clean.capture(*renderer, *ALL, "-m", "TPROXY")
        clean.capture("--cleanup-only")
        assert clean.state() == before
    finally:
        if program:
            clean.pod.command(*(word.format("-D") for word in theirs))
        else:
            clean.pod.command("nft", "delete", "table", "inet", "theirs")


def test_a_dry_run_does_nothing(clean, renderer: list[str]) -> None:
    before = clean.state()
    code, output = clean.capture_code(*renderer, *ALL, "--dry-run")
    assert code == 0
    assert "15006" in output
    assert clean.state() == before


def test_at_no_moment_is_nothing_captured(clean, renderer: list[str]) -> None:
    """While rules are replaced, connections go on to be captured."""
    clean.capture(*renderer, *ALL)
    places: list[str] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            places.append(place(clean))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        for _ in range(5):
            clean.capture(*renderer, *ALL, "-o", "22")
            clean.capture(*renderer, *ALL)
    finally:
        done.set()
        asking.join()
    assert places
    assert set(places) == {"pod:15001"}


def test_without_ipv6_addresses_only_ipv4_is_captured(renderer: list[str], clean) -> None:
    with namespace() as pod, namespace() as world:
        connect((pod, "eth0", "77.0.2"), (world, "eth0", "77.0.1"), ipv6=False)
        lonely = type(clean)(pod, world, world)
        lonely.capture(*renderer, *ALL)
        assert "::6/128" not in lonely.state()
        with pod.run(lambda: socket.create_server(("::1", 80), family=socket.AF_INET6)) as server:
            assert ask(pod, "::1", 15001) is None
            server.settimeout(60)
            with pod.socket(socket.AF_INET6, socket.SOCK_STREAM, uid=1337, gid=1337) as client:
                client.connect(("::1", 80))
                server.accept()[0].close()
        lonely.capture(*renderer, *ALL, "--dual-stack")
        assert "::6/128" in lonely.state()


@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
def test_validation_proves_that_connections_are_captured(renderer: list[str], clean, mode: str) -> None:
    with namespace() as pod, namespace() as world:
        connect((pod, "eth0", "77.0.2"), (world, "eth0", "77.0.1"))
        bare = type(clean)(pod, world, world)
        bare.capture(*renderer, *ALL, "-m", mode, "--run-validation")
        bare.capture(*renderer, "--skip-rule-apply", "--run-validation", "--iptables-probe-port", "15123")
        bare.capture("--cleanup-only")
        code, said = bare.capture_code("--skip-rule-apply", "--run-validation", "--probe-timeout", "300ms")
        assert code == 126
        assert "a connection of the proxy's user to 127.0.0.6 port 15002 is not captured" in said


def test_validation_notices_that_one_family_is_not_captured(renderer: list[str], clean) -> None:
    with namespace() as pod, namespace() as world:
        connect((pod, "eth0", "77.0.2"), (world, "eth0", "77.0.1"), ipv6=False)
        bare = type(clean)(pod, world, world)
        bare.capture(*renderer, *ALL)
        code, said = bare.capture_code(
            "--skip-rule-apply", "--run-validation", "--dual-stack", "--probe-timeout", "300ms"
        )
        assert code == 126
        assert "::6" in said


def test_validation_says_when_the_proxy_runs_already(clean) -> None:
    code, said = clean.capture_code("--skip-rule-apply", "--run-validation")
    assert code == 126
    assert "cannot listen" in said


def test_validation_by_the_proxys_user_needs_no_rights() -> None:
    with namespace() as pod:
        enter = ["nsenter", f"--net={pod.path}", "--", sys.executable, "-c", RUN]
        subprocess.run([*enter, *ALL, "-u", "65534"], check=True)
        mine = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--"]
        check = ["--skip-rule-apply", "--run-validation", "-u", "65534"]
        subprocess.run([*enter[:3], *mine, *enter[3:], *check], check=True)


def test_root_without_the_right_to_be_the_proxy_is_told_so() -> None:
    with namespace() as pod:
        bare = ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid", "--"]
        words = ["--skip-rule-apply", "--run-validation", "-u", "65534"]
        done = subprocess.run(
            ["nsenter", f"--net={pod.path}", "--", *bare, sys.executable, "-c", RUN, *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 126
        assert "CAP_SETUID" in done.stderr
