"""Routes of a VirtualService that no traffic can reach, because an earlier one takes it all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from lateen.api.networking.virtual_service import HTTPMatchRequest, HTTPRoute, StringMatch, VirtualService
from lateen.api.schema.fault import Fault, Severity

_UNREACHABLE_RULE = "IST0130"
_INEFFECTIVE_MATCH = "IST0131"


def unreachable(spec: VirtualService) -> Iterator[Fault]:
    """Warnings about routes and matches without effect."""
    for field, routes in (("http", spec.http), ("tls", spec.tls), ("tcp", spec.tcp)):
        if not routes:
            continue
        yield from _after_catch_all(f"spec.{field}", [route.match for route in routes])
        yield from _repeated(f"spec.{field}", [route.match for route in routes])
    yield from _covered_prefixes(spec.http)


def _warning(path: str, message: str, code: str) -> Fault:
    return Fault(path, message, Severity.WARNING, code)


def _after_catch_all(path: str, routes: Sequence[tuple[object, ...]]) -> Iterator[Fault]:
    first = next((index for index, matches in enumerate(routes) if not matches), len(routes))
    for index in range(first + 1, len(routes)):
        yield _warning(f"{path}[{index}]", f"is never used: {path}[{first}] matches everything", _UNREACHABLE_RULE)


def _repeated(path: str, routes: Sequence[tuple[msgspec.Struct, ...]]) -> Iterator[Fault]:
    """Matches that are word for word in an earlier route or place."""
    if sum(map(len, routes)) < 2:
        return
    seen: dict[bytes, str] = {}
    for index, matches in enumerate(routes):
        repeated = 0
        for number, match in enumerate(matches):
            here = f"{path}[{index}].match[{number}]"
            earlier = seen.setdefault(_anonymous(match), here)
            if earlier != here:
                repeated += 1
                yield _warning(here, f"is never used: it is the same as {earlier}", _INEFFECTIVE_MATCH)
        if matches and repeated == len(matches):
            yield _warning(f"{path}[{index}]", "is never used: earlier routes have all its matches", _UNREACHABLE_RULE)


def _anonymous(match: msgspec.Struct) -> bytes:
    if isinstance(match, HTTPMatchRequest) and match.name:
        match = msgspec.structs.replace(match, name="")
    return msgspec.json.encode(match, order="sorted")


class _Prefix(NamedTuple):
    """A match by prefix of the path, as far as it is compared."""

    path: str
    prefix: str
    match: HTTPMatchRequest


def _covered_prefixes(routes: tuple[HTTPRoute, ...]) -> Iterator[Fault]:
    """Longer prefixes behind shorter ones that ask for no more than they do."""
    earlier: list[_Prefix] = []
    for index, route in enumerate(routes):
        for number, match in enumerate(route.match):
            if match.uri is None or not match.uri.prefix:
                continue
            found = _Prefix(f"spec.http[{index}].match[{number}]", match.uri.prefix, match)
            for other in earlier:
                if found.prefix != other.prefix and found.prefix.startswith(other.prefix) and _covers(other, found):
                    text = f"is never used: {other.path} takes all of prefix {other.prefix!r}"
                    yield _warning(found.path, text, _INEFFECTIVE_MATCH)
                    break
            earlier.append(found)


def _covers(wide: _Prefix, narrow: _Prefix) -> bool:
    """Whether every condition of the wide match beside its path holds wherever those of the narrow one do."""
    a, b = wide.match, narrow.match
    if a.ignore_uri_case != b.ignore_uri_case and b.ignore_uri_case:
        return False
    if a.port not in (0, b.port) or a.source_namespace not in ("", b.source_namespace):
        return False
    if set(a.gateways) != set(b.gateways):
        return False
    if not a.source_labels.items() <= b.source_labels.items() or a.without_headers != b.without_headers:
        return False
    return (
        all(_implied(x, y) for x, y in ((a.scheme, b.scheme), (a.method, b.method), (a.authority, b.authority)))
        and all(_implied(x, b.headers.get(name)) for name, x in a.headers.items())
        and all(_implied(x, b.query_params.get(name)) for name, x in a.query_params.items())
    )


def _implied(wide: StringMatch | None, narrow: StringMatch | None) -> bool:
    """Whether a value that the narrow condition lets through is one that the wide one lets through, too."""
    if wide is None or wide == narrow:
        return True
    if narrow is None or wide.regex is not None:
        return False
    if wide.prefix is not None:
        return (narrow.exact or narrow.prefix or "").startswith(wide.prefix)
    return wide.exact is None and narrow != StringMatch()
