"""Faults of what the routes of a VirtualService share: matches, where they apply, destinations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lateen.api.networking.http_names import wrong_matched_header
from lateen.api.networking.regular_expressions import regex_faults
from lateen.api.networking.routing_claims import routing_claim
from lateen.api.networking.virtual_service import (
    Destination,
    HTTPMatchRequest,
    L4MatchAttributes,
    StringMatch,
    TLSMatchAttributes,
)
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.schema.hostnames import is_dns_label, wrong_fqdn, wrong_wildcard_host

_PORT_MAXIMUM = 65535
_LABEL_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def http_match_faults(path: str, match: HTTPMatchRequest) -> Iterator[Fault]:
    """Faults of one alternative of an HTTP route's match."""
    if match.uri is not None and match.uri.regex is not None:
        # Other than elsewhere, an empty prefix is allowed here.
        yield from regex_faults(f"{path}.uri.regex", match.uri.regex)
    if match.ignore_uri_case and match.uri is not None and match.uri.regex is not None:
        yield warning(f"{path}.ignoreUriCase", "has no effect on a regex: begin it with (?i)")
    for field, given in (("scheme", match.scheme), ("method", match.method), ("authority", match.authority)):
        if given is not None:
            yield from _string_match(f"{path}.{field}", given)
    for name, header in match.headers.items():
        yield from _header(f"{path}.headers[{name!r}]", name, header)
    for name, header in match.without_headers.items():
        yield from _header(f"{path}.withoutHeaders[{name!r}]", name, header)
    for name, parameter in match.query_params.items():
        if not name:
            yield error(f"{path}.queryParams", "must not have an empty name")
        yield from _string_match(f"{path}.queryParams[{name!r}]", parameter)
    if match.port > _PORT_MAXIMUM:
        yield error(f"{path}.port", f"must be from 1 to {_PORT_MAXIMUM}, not {match.port}")
    yield from where_faults(path, match)


def where_faults(path: str, match: HTTPMatchRequest | TLSMatchAttributes | L4MatchAttributes) -> Iterator[Fault]:
    """Faults of what a match says of gateways and clients."""
    if match.source_labels or match.source_namespace:
        yield from _source(path, match.source_labels, match.source_namespace)
    if match.gateways:
        yield from gateway_name_faults(f"{path}.gateways", match.gateways)
        for field, given in (("sourceLabels", match.source_labels), ("sourceNamespace", match.source_namespace)):
            if given:
                yield warning(f"{path}.{field}", "has no effect beside gateways: they decide alone")


def _source(path: str, labels: dict[str, str], namespace: str) -> Iterator[Fault]:
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if _LABEL_NAME.fullmatch(name) is None or (slash and wrong_fqdn(prefix)):
            yield error(f"{path}.sourceLabels", f"must have the keys of labels, not {key!r}")
        if _LABEL_VALUE.fullmatch(value) is None:
            yield error(f"{path}.sourceLabels[{key!r}]", f"must be the value of a label, not {value!r}")
    if namespace and not is_dns_label(namespace):
        yield error(f"{path}.sourceNamespace", f"must be a namespace, not {namespace!r}")


def gateway_name_faults(path: str, names: tuple[str, ...]) -> Iterator[Fault]:
    """Faults of a list of gateways: `mesh`, `name` or `namespace/name`."""
    for index, given in enumerate(names):
        here = f"{path}[{index}]"
        namespace, slash, name = given.partition("/")
        if not slash:
            if wrong := wrong_fqdn(given):
                yield error(here, wrong)
            elif "." in given:
                first, second = given.split(".")[:2]
                yield warning(here, f"has a form of old, {given!r}: write {second}/{first}")
            continue
        if not is_dns_label(namespace):
            yield error(here, f"must be namespace/name, not {given!r}: {namespace!r} is not a namespace")
        if not is_dns_label(name):
            yield error(here, f"must be namespace/name, not {given!r}: {name!r} is not the name of a Gateway")


def destination_faults(path: str, destination: Destination) -> Iterator[Fault]:
    """Faults of a destination."""
    if destination.host == "*":
        yield error(f"{path}.host", "must be one host, not *")
    elif wrong := wrong_wildcard_host(destination.host):
        yield error(f"{path}.host", wrong)
    if destination.subset and not is_dns_label(destination.subset):
        yield error(f"{path}.subset", f"must be the name of a subset (a DNS label), not {destination.subset!r}")
    if destination.port is not None and not 1 <= destination.port.number <= _PORT_MAXIMUM:
        yield error(f"{path}.port.number", f"must be from 1 to {_PORT_MAXIMUM}, not {destination.port.number}")


def _header(path: str, name: str, match: StringMatch) -> Iterator[Fault]:
    if routing_claim(name) is None and (wrong := wrong_matched_header(name)):
        yield error(path, wrong)
    elif name != name.lower() and routing_claim(name) is None:
        yield warning(path, f"matches any case; write {name.lower()!r}")
    # A lone star is no expression here: it asks for presence.
    if match.regex != "*":
        yield from _string_match(path, match)


def _string_match(path: str, match: StringMatch) -> Iterator[Fault]:
    if match.prefix == "":
        yield error(f"{path}.prefix", "must not be empty")
    if match.regex is not None:
        yield from regex_faults(f"{path}.regex", match.regex)
