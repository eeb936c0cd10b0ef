"""What capture needs beside rules: an address for the proxy to call its application from, and with TPROXY a way for
marked packets to reach the proxy's sockets. Source: ip-address(8), ip-rule(8), ip-route(8)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from lateen.capture.capture import PASSTHROUGH_V6, Capture
from lateen.capture.programs import CaptureError, Programs


class Item(msgspec.Struct, frozen=True):
    """Something that is there or not."""

    family: str
    """`-4` or `-6`."""
    kind: str
    """`address`, `rule` or `route`."""
    words: tuple[str, ...]
    """How `ip` names it when it adds or deletes it."""


def wanted(capture: Capture) -> tuple[Item, ...]:
    """What there has to be for these rules."""
    families = ("-4", "-6") if capture.ipv6 else ("-4",)
    address = (_address(),) if capture.ipv6 else ()
    return (*address, *(item for family in families for item in _tproxy(capture, family) if capture.tproxy))


def possible(capture: Capture) -> tuple[Item, ...]:
    """What earlier rules may have left, with the same mark and table."""
    return (_address(), *_tproxy(capture, "-4"), *_tproxy(capture, "-6"))


def _address() -> Item:
    # IPv4 has all of 127.0.0.0/8 on the loopback interface, IPv6 only ::1.
    return Item("-6", "address", (str(PASSTHROUGH_V6), "dev", "lo"))


def _tproxy(capture: Capture, family: str) -> Iterator[Item]:
    table = str(capture.tproxy_table)
    yield Item(family, "route", ("local", "default", "dev", "lo", "table", table))
    yield Item(family, "rule", ("fwmark", str(capture.tproxy_mark), "lookup", table))


def add(items: tuple[Item, ...], programs: Programs) -> None:
    """Adds what is not there yet."""
    for item in items:
        if item.kind != "rule":
            programs.write(["ip", item.family, item.kind, "replace", *item.words])
        elif not _is_there(item, programs):
            programs.write(["ip", item.family, "rule", "add", *item.words])


def remove(items: tuple[Item, ...], programs: Programs) -> None:
    """Removes what is there. A machine without IPv6 has nothing of it."""
    for item in items:
        if _is_there(item, programs):
            programs.write(["ip", item.family, item.kind, "del", *item.words])


def _is_there(item: Item, programs: Programs) -> bool:
    queries = {"address": ["address", "show", "dev", "lo"], "rule": ["rule", "show"], "route": _ROUTES}
    try:
        shown = programs.read(["ip", item.family, "-json", *queries[item.kind]])
    except CaptureError:
        if item.family == "-6":
            return False
        raise
    return any(_is(item, each) for each in json.loads(shown or "[]"))


_ROUTES = ["route", "show", "table", "all"]
"""Asking for one table fails while it does not exist."""


def _is(item: Item, shown: dict[str, Any]) -> bool:
    words = item.words
    if item.kind == "address":
        return any(f"{each.get('local')}/{each.get('prefixlen')}" == words[0] for each in shown.get("addr_info", ()))
    if item.kind == "route":
        found = (shown.get("type"), shown.get("dst"), "dev", shown.get("dev"), "table", shown.get("table"))
        return found == words
    mark = shown.get("fwmark")
    return mark is not None and int(mark, 0) == int(words[1]) and shown.get("table") == words[3]
