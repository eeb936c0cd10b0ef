"""Asks a pod's name server and prints what it says; runs inside pods, with the test's own interpreter.

`lookup.py QUESTIONS`, a JSON list of [name, type] or [name, type, "tcp"]; prints a JSON list of objects: `code`,
`answers` ("TYPE data", sorted, names without the last dot), `truncated`.
`lookup.py --until-eof NAME` asks for a name until standard input ends, and prints how often each code came.
"""

from __future__ import annotations

import collections
import json
import select
import sys
from pathlib import Path
from typing import Any

import dnslib


def server() -> str:
    lines = Path("/etc/resolv.conf").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("nameserver"))


def ask(name: str, type_: str, by: str = "udp") -> dict[str, Any]:
    question = dnslib.DNSRecord.question(name, type_)
    try:
        data = question.send(server(), 53, tcp=by == "tcp", timeout=5, ipv6=":" in server())
    except OSError as error:
        return {"code": type(error).__name__}
    message = dnslib.DNSRecord.parse(data)
    answers = sorted(f"{dnslib.QTYPE.get(r.rtype)} {str(r.rdata).rstrip('.')}" for r in message.rr)
    return {"code": dnslib.RCODE.get(message.header.rcode), "answers": answers, "truncated": bool(message.header.tc)}


def until_eof(name: str) -> dict[str, int]:
    codes: collections.Counter[str] = collections.Counter()
    while not select.select([sys.stdin], [], [], 0)[0]:
        codes[ask(name, "A")["code"]] += 1
        if codes.total() == 1:
            print("begun", flush=True)
    return dict(codes)


if __name__ == "__main__":
    if sys.argv[1] == "--until-eof":
        print(json.dumps(until_eof(sys.argv[2])))
    else:
        print(json.dumps([ask(*question) for question in json.loads(sys.argv[1])]))
