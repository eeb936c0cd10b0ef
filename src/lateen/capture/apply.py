"""Gives rules to the kernel and takes them back.

Each of a renderer's transactions replaces all that an earlier run made, so that a run may be repeated, and at no moment
is less captured than the old or the new rules say."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final

import msgspec

from lateen.capture import iptables, nftables, plumbing
from lateen.capture.capture import Capture
from lateen.capture.plan import ruleset
from lateen.capture.programs import CaptureError, Programs
from lateen.capture.rules import Ruleset


class Renderer(enum.Enum):
    NFTABLES = "nftables"
    IPTABLES = "iptables"


class Tools(msgspec.Struct, frozen=True):
    """Which programs to write rules with."""

    renderer: Renderer
    variant: str
    """Of iptables: `-legacy`, `-nft`, or empty where there is one kind at most."""


_VARIANTS: Final = ("-nft", "-legacy")


def choose(programs: Programs, nft: bool | None, variant: str) -> Tools:
    """nftables, or iptables where `nft` is False or, undecided, not installed. Raises CaptureError when what is needed
    is not installed."""
    if nft is None:
        nft = programs.has("nft") and not variant
    if not variant and all(programs.has(f"iptables{each}-save") for each in _VARIANTS):
        # Both write to the kernel in ways that do not see each other; the machine has a default.
        variant = "-legacy" if "legacy" in programs.read(["iptables", "--version"]) else "-nft"
    needed = "nft" if nft else f"iptables{variant}-restore"
    if not programs.has(needed):
        raise CaptureError(f"{needed} is not installed; rules are written with nft or iptables-restore")
    return Tools(Renderer.NFTABLES if nft else Renderer.IPTABLES, variant)


def install(capture: Capture, tools: Tools, programs: Programs) -> None:
    """Makes the kernel capture this and nothing else. Raises CaptureError; what was there before then still is, save
    that one of IPv4 and IPv6 may be new already (iptables only)."""
    wanted = plumbing.wanted(capture)
    plumbing.add(wanted, programs)
    rules = ruleset(capture)
    if tools.renderer is Renderer.NFTABLES:
        programs.write(["nft", "-f", "-"], nftables.script(rules))
        _remove_iptables(programs)
    else:
        _write_iptables(rules, tools.variant, programs)
        _remove_iptables(programs, but=tools.variant)
        _remove_nftables(programs)
    plumbing.remove(tuple(item for item in plumbing.possible(capture) if item not in wanted), programs)


def uninstall(capture: Capture, programs: Programs) -> None:
    """Takes back what `install` made, whatever wrote it. Raises CaptureError."""
    _remove_nftables(programs)
    _remove_iptables(programs)
    plumbing.remove(plumbing.possible(capture), programs)


def _remove_nftables(programs: Programs) -> None:
    if programs.has("nft"):
        programs.write(["nft", "-f", "-"], nftables.removal())


def _remove_iptables(programs: Programs, but: str | None = None) -> None:
    split = all(programs.has(f"iptables{each}-save") for each in _VARIANTS)
    for variant in _VARIANTS if split else ("",):
        if variant != but:
            _write_iptables(None, variant, programs)


_IPTABLES: Final = {4: "iptables", 6: "ip6tables"}


def _write_iptables(rules: Ruleset | None, variant: str, programs: Programs) -> None:
    for version, name in _IPTABLES.items():
        needed = rules is not None and (version == 4 or rules.ipv6)
        if not needed and not programs.has(f"{name}{variant}-save"):
            continue
        saved = "".join(_saved(f"{name}{variant}-save", needed, programs))
        if text := iptables.restore_text(rules, version, saved):
            programs.write([f"{name}{variant}-restore", "--noflush", "--wait"], text)


def _saved(program: str, needed: bool, programs: Programs) -> Iterator[str]:
    try:
        yield programs.read([program])
    except CaptureError:
        # A kernel that does not know iptables has none of its rules.
        if needed:
            raise
