"""An Envoy's route as far as gRPC knows it.

What gRPC does not know it must not be told of a request either: a condition that it would take for unmet is decided
here where all gRPC requests are alike (POST, no query), and otherwise the route is split into others that it knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, Final

import re2
from envoy.config.route.v3 import route_components_pb2

from lateen.translate.routes.faults import FAULT_FILTER

RETRIED: Final = ("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable")
"""What gRPC calls are tried again for."""
_SAME_FOR_ALL: Final = {":method": "POST", ":scheme": "http"}
_CHANNEL: Final = "io.grpc.channel_id"
_MOST_ABSENCES: Final = 4
"""Of headers that may be missing in one route: each doubles its routes."""
_Route = route_components_pb2.Route
_Header = route_components_pb2.HeaderMatcher


def reduced(route: Any) -> Iterator[Any]:
    """The routes that do for gRPC requests what this one does; none where it is for no gRPC request."""
    body = _Route(name=route.name, metadata=route.metadata)
    if route.HasField("route"):
        _set_action(body.route, route.route)
    elif route.HasField("redirect"):
        # This and the next gRPC takes for calls that fail.
        body.redirect.CopyFrom(route.redirect)
    else:
        body.direct_response.status = route.direct_response.status
    if FAULT_FILTER in route.typed_per_filter_config:
        body.typed_per_filter_config[FAULT_FILTER].CopyFrom(route.typed_per_filter_config[FAULT_FILTER])
    for condition in _matches(route.match):
        found = _Route()
        found.CopyFrom(body)
        found.match.CopyFrom(condition)
        yield found


def _matches(condition: Any) -> Iterator[Any]:
    """Conditions of which a request must meet one."""
    if condition.query_parameters or any(not each.invert for each in condition.dynamic_metadata):
        # Requests of gRPC have neither.
        return
    alternatives: list[tuple[Any, ...]] = []
    for header in condition.headers:
        if header.name in _SAME_FOR_ALL:
            if _holds(header, _SAME_FOR_ALL[header.name]):
                continue
            return
        alternatives.append(_alternatives(header))
    if sum(len(each) > 1 for each in alternatives) > _MOST_ABSENCES:
        # Then a request must have all of them.
        alternatives = [each[-1:] for each in alternatives]
    for headers in product(*alternatives):
        found = route_components_pb2.RouteMatch(headers=headers)
        match condition.WhichOneof("path_specifier"):
            case "path":
                found.path = condition.path
            case "safe_regex":
                found.safe_regex.regex = condition.safe_regex.regex
            case _:
                found.prefix = condition.prefix
        if condition.HasField("case_sensitive"):
            found.case_sensitive.value = condition.case_sensitive.value
        yield found


def _alternatives(header: Any) -> tuple[Any, ...]:
    """Conditions of which a header must meet one. To gRPC a header that is missing meets none, even inverted ones."""
    plain = _Header(name=header.name, invert_match=header.invert_match)
    if header.HasField("string_match"):
        _set_text(plain, header.string_match)
    else:
        plain.present_match = header.present_match
    if header.treat_missing_header_as_empty and header.invert_match != _matches_text(header.string_match, ""):
        return (_Header(name=header.name, present_match=True, invert_match=True), plain)
    return (plain,)


def _set_text(header: Any, text: Any) -> None:
    """In the fields that all versions of gRPC know."""
    match text.WhichOneof("match_pattern"):
        case "exact":
            header.exact_match = text.exact
        case "prefix":
            header.prefix_match = text.prefix
        case _:
            header.safe_regex_match.regex = text.safe_regex.regex


def _holds(header: Any, value: str) -> bool:
    if header.HasField("string_match"):
        return bool(_matches_text(header.string_match, value) != header.invert_match)
    return bool(header.present_match != header.invert_match)


def _matches_text(text: Any, value: str) -> bool:
    match text.WhichOneof("match_pattern"):
        case "exact":
            return bool(text.exact == value)
        case "prefix":
            return value.startswith(text.prefix)
        case _:
            return bool(re2.fullmatch(text.safe_regex.regex, value))


def _set_action(into: Any, action: Any) -> None:
    """Fills a RouteAction."""
    if action.HasField("weighted_clusters"):
        for share in action.weighted_clusters.clusters:
            into.weighted_clusters.clusters.add(name=share.name).weight.value = share.weight.value
    else:
        into.cluster = action.cluster
    if action.timeout.seconds or action.timeout.nanos:
        # The time of a whole call, which is all that gRPC knows.
        into.max_stream_duration.max_stream_duration.CopyFrom(action.timeout)
    if action.HasField("retry_policy"):
        _set_retries(into, action.retry_policy)
    for policy in action.hash_policy:
        _add_hash_policy(into, policy)


def _set_retries(into: Any, policy: Any) -> None:
    conditions = [each for each in RETRIED if each in policy.retry_on.split(",")]
    if conditions and policy.num_retries.value:
        into.retry_policy.retry_on = ",".join(conditions)
        into.retry_policy.num_retries.value = policy.num_retries.value
        if policy.retry_back_off.HasField("base_interval"):
            into.retry_policy.retry_back_off.base_interval.CopyFrom(policy.retry_back_off.base_interval)


def _add_hash_policy(into: Any, policy: Any) -> None:
    match policy.WhichOneof("policy_specifier"):
        case "header":
            into.hash_policy.add().header.header_name = policy.header.header_name
        case "connection_properties":
            # All that a channel sends is from one client.
            into.hash_policy.add().filter_state.key = _CHANNEL
