from __future__ import annotations

import json
from collections.abc import Sequence

from lateen.capture import plumbing
from lateen.capture.capture import Capture, Mode
from lateen.capture.programs import CaptureError

TPROXY = Capture(mode=Mode.TPROXY, inbound_ports=None, ipv6=True)


class Ip:
    """An `ip` that says the same whenever it is asked, and remembers what it was told to do."""

    def __init__(self, shown: dict[tuple[str, str], object], *, ipv6: bool = True) -> None:
        self.shown = shown
        self.ipv6 = ipv6
        self.told: list[str] = []

    def read(self, argv: Sequence[str]) -> str:
        if argv[1] == "-6" and not self.ipv6:
            raise CaptureError("no IPv6")
        return json.dumps(self.shown.get((argv[1], argv[3]), []))

    def write(self, argv: Sequence[str], text: str = "") -> None:
        self.told.append(" ".join(argv))

    def has(self, program: str) -> bool:
        return True


ADDRESSES = [{"local": "::1", "prefixlen": 128}, {"local": "::6", "prefixlen": 128}]
FULL: dict[tuple[str, str], object] = {
    ("-6", "address"): [{"ifname": "lo", "addr_info": ADDRESSES}],
    ("-4", "rule"): [{"src": "all", "table": "local"}, {"src": "all", "fwmark": "0x539", "table": "133"}],
    ("-6", "rule"): [{"src": "all", "fwmark": "0x539", "table": "133"}],
    ("-4", "route"): [{"type": "local", "dst": "default", "dev": "lo", "table": "133"}],
    ("-6", "route"): [{"type": "local", "dst": "default", "dev": "lo", "table": "133"}],
}


def test_redirect_on_ipv4_needs_nothing() -> None:
    assert plumbing.wanted(Capture(inbound_ports=None)) == ()
    assert plumbing.wanted(Capture(mode=Mode.TPROXY, inbound_ports=())) == ()


def test_what_is_missing_is_added() -> None:
    ip = Ip({})
    plumbing.add(plumbing.wanted(TPROXY), ip)
    assert ip.told == [
        "ip -6 address replace ::6/128 dev lo",
        "ip -4 route replace local default dev lo table 133",
        "ip -4 rule add fwmark 1337 lookup 133",
        "ip -6 route replace local default dev lo table 133",
        "ip -6 rule add fwmark 1337 lookup 133",
    ]


def test_rules_are_not_added_twice() -> None:
    ip = Ip(FULL)
    plumbing.add(plumbing.wanted(TPROXY), ip)
    assert not any("rule add" in each for each in ip.told)


def test_only_what_is_there_is_removed() -> None:
    ip = Ip({})
    plumbing.remove(plumbing.possible(TPROXY), ip)
    assert ip.told == []
    ip = Ip(FULL)
    plumbing.remove(plumbing.possible(TPROXY), ip)
    assert ip.told == [
        "ip -6 address del ::6/128 dev lo",
        "ip -4 route del local default dev lo table 133",
        "ip -4 rule del fwmark 1337 lookup 133",
        "ip -6 route del local default dev lo table 133",
        "ip -6 rule del fwmark 1337 lookup 133",
    ]


def test_rules_and_routes_of_others_stay() -> None:
    ip = Ip(
        {
            ("-4", "rule"): [{"fwmark": "0x53a", "table": "133"}, {"fwmark": "0x539", "table": "134"}],
            ("-4", "route"): [{"type": "unicast", "dst": "default", "dev": "eth0", "table": "133"}],
        }
    )
    plumbing.remove(plumbing.possible(TPROXY), ip)
    assert ip.told == []


def test_a_machine_without_ipv6_has_nothing_of_it() -> None:
    ip = Ip({}, ipv6=False)
    plumbing.remove(plumbing.possible(TPROXY), ip)
    assert ip.told == []
