from __future__ import annotations

from collections.abc import Sequence

import pytest

from lateen.capture.apply import Renderer, Tools, choose, install, uninstall
from lateen.capture.capture import Capture, Mode
from lateen.capture.programs import CaptureError, Kernel

SAVED = """*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:ISTIO_OLD - [0:0]
:ISTIO_OUTPUT - [0:0]
-A PREROUTING -p tcp -j ISTIO_OLD
-A OUTPUT -j DOCKER
-A OUTPUT -j ISTIO_OUTPUT
-A ISTIO_OLD -j ISTIO_OUTPUT
COMMIT
"""


class Machine:
    """Programs that remember what they were told."""

    def __init__(self, *installed: str, saved: str = "", version: str = "iptables v1.8.9 (nf_tables)") -> None:
        self.installed = installed
        self.saved = saved
        self.version = version
        self.told: list[tuple[str, str]] = []

    def read(self, argv: Sequence[str]) -> str:
        if "-json" in argv:
            return "[]"
        return self.version if "--version" in argv else self.saved

    def write(self, argv: Sequence[str], text: str = "") -> None:
        self.told.append((" ".join(argv), text))

    def has(self, program: str) -> bool:
        return program.startswith(self.installed) if self.installed else False


ALL = Capture(inbound_ports=None, outbound_networks=None)
NFT = Tools(Renderer.NFTABLES, "")
IPTABLES = Tools(Renderer.IPTABLES, "")


def test_nftables_is_the_choice_where_it_is_installed() -> None:
    assert choose(Machine("nft", "iptables", "ip6tables"), None, "").renderer is Renderer.NFTABLES
    assert choose(Machine("iptables-restore"), None, "") == Tools(Renderer.IPTABLES, "")
    assert choose(Machine("nft", "iptables"), False, "").renderer is Renderer.IPTABLES
    assert choose(Machine("nft", "iptables"), None, "-legacy") == Tools(Renderer.IPTABLES, "-legacy")


def test_of_two_iptables_the_machines_own_choice_counts() -> None:
    assert choose(Machine("iptables"), None, "").variant == "-nft"
    assert choose(Machine("iptables", version="iptables v1.8.9 (legacy)"), None, "").variant == "-legacy"


def test_what_is_not_installed_is_said() -> None:
    with pytest.raises(CaptureError, match="iptables-restore is not installed"):
        choose(Machine(), None, "")
    with pytest.raises(CaptureError, match="nft is not installed"):
        choose(Machine("iptables"), True, "")


def test_nftables_rules_are_one_transaction() -> None:
    machine = Machine("nft")
    install(ALL, NFT, machine)
    assert [argv for argv, _ in machine.told] == ["nft -f -"]
    script = machine.told[0][1]
    assert script.startswith("table inet lateen-capture\ndelete table inet lateen-capture\ntable inet lateen-capture {")


def test_iptables_rules_replace_what_was_there_and_spare_what_is_not_ours() -> None:
    machine = Machine("iptables-", saved=SAVED)
    install(ALL, Tools(Renderer.IPTABLES, "-nft"), machine)
    argv, text = machine.told[0]
    assert argv == "iptables-nft-restore --noflush --wait"
    lines = text.splitlines()
    assert "-D PREROUTING -p tcp -j ISTIO_OLD" in lines
    assert lines.index("-D OUTPUT -j ISTIO_OUTPUT") < lines.index("-A OUTPUT -j ISTIO_OUTPUT")
    assert lines.index(":ISTIO_OLD - [0:0]") < lines.index("-X ISTIO_OLD") == len(lines) - 2
    assert "DOCKER" not in text
    assert "-X ISTIO_OUTPUT" not in lines


def test_the_other_renderers_rules_go_once_the_new_ones_are_there() -> None:
    machine = Machine("nft", "iptables-save", "iptables-restore", saved=SAVED)
    install(ALL, NFT, machine)
    assert [argv for argv, _ in machine.told] == ["nft -f -", "iptables-restore --noflush --wait"]
    assert "-A ISTIO" not in machine.told[1][1]
    machine = Machine("nft", "iptables-save", "iptables-restore")
    install(ALL, IPTABLES, machine)
    assert [argv for argv, _ in machine.told] == ["iptables-restore --noflush --wait", "nft -f -"]
    assert machine.told[1][1] == "table inet lateen-capture\ndelete table inet lateen-capture\n"


def test_plumbing_is_there_before_the_rules_that_need_it() -> None:
    machine = Machine("nft")
    install(Capture(inbound_ports=None, mode=Mode.TPROXY), NFT, machine)
    assert [argv for argv, _ in machine.told][-1] == "nft -f -"
    assert "ip -4 rule add fwmark 1337 lookup 133" in [argv for argv, _ in machine.told]


def test_taking_back_leaves_nothing_of_ours() -> None:
    machine = Machine("nft", "iptables-save", "iptables-restore", saved=SAVED)
    uninstall(ALL, machine)
    text = machine.told[1][1]
    assert text.splitlines() == [
        "*nat",
        ":ISTIO_OLD - [0:0]",
        ":ISTIO_OUTPUT - [0:0]",
        "-D PREROUTING -p tcp -j ISTIO_OLD",
        "-D OUTPUT -j ISTIO_OUTPUT",
        "-X ISTIO_OLD",
        "-X ISTIO_OUTPUT",
        "COMMIT",
    ]


def test_a_program_that_fails_is_quoted() -> None:
    kernel = Kernel({}, lambda line: None)
    with pytest.raises(CaptureError, match=r"sh -c echo no >&2; exit 3: exit code 3: no"):
        kernel.write(["sh", "-c", "echo no >&2; exit 3"])
    with pytest.raises(CaptureError, match="no-such-program: No such file"):
        kernel.read(["no-such-program"])
    assert not kernel.has("no-such-program")
