"""HTTPMatchRequest to Envoy's RouteMatch (config/route/v3/route_components.proto)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy.config.route.v3 import route_components_pb2
from envoy.type.matcher.v3 import metadata_pb2, string_pb2

from lateen.api.networking.routing_claims import routing_claim
from lateen.api.networking.virtual_service import HTTPMatchRequest, StringMatch

_JWT_FILTER = "envoy.filters.http.jwt_authn"
_JWT_PAYLOAD = "payload"
_ANYTHING = "*"


def set_match(out: Any, match: HTTPMatchRequest | None) -> None:
    """Fills a RouteMatch. Which client a match is for is not Envoy's matter: see `effective_routes.applies`."""
    if match is None:
        out.prefix = "/"
        return
    _set_path(out, match.uri)
    out.case_sensitive.value = not match.ignore_uri_case
    for name in sorted(match.headers):
        _add_header(out, name, match.headers[name])
    for name in sorted(match.without_headers):
        _add_absent_header(out, name, match.without_headers[name])
    for name, condition in ((":method", match.method), (":authority", match.authority), (":scheme", match.scheme)):
        if condition is not None:
            _add_header(out, name, condition)
    _add_parameters(out, match.query_params)


def is_catch_all(out: Any) -> bool:
    """Whether a RouteMatch lets every request through."""
    if out.headers or out.query_parameters or out.dynamic_metadata:
        return False
    return bool(out.prefix == "/" or out.safe_regex.regex == ".*")


def string_matcher(match: StringMatch) -> Any:
    """A StringMatcher; the match must have a condition."""
    if match.exact is not None:
        return string_pb2.StringMatcher(exact=match.exact)
    if match.prefix is not None:
        return string_pb2.StringMatcher(prefix=match.prefix)
    matcher = string_pb2.StringMatcher()
    matcher.safe_regex.regex = match.regex or ""
    return matcher


def _is_presence(match: StringMatch) -> bool:
    """Whether only presence is asked for: without a condition, or with a lone star, which is no expression."""
    return match.regex == _ANYTHING or (match.exact is None and match.prefix is None and match.regex is None)


def _set_path(out: Any, uri: StringMatch | None) -> None:
    if uri is None:
        out.prefix = "/"
    elif uri.exact is not None:
        out.path = uri.exact
    elif uri.regex is not None:
        out.safe_regex.regex = uri.regex
    else:
        out.prefix = uri.prefix if uri.prefix is not None else "/"


def _add_header(out: Any, name: str, match: StringMatch) -> None:
    claim = routing_claim(name)
    if claim is not None:
        out.dynamic_metadata.append(_claim_matcher(claim, match))
        return
    header = out.headers.add(name=name)
    _set_header(header, match)


def _add_absent_header(out: Any, name: str, match: StringMatch) -> None:
    claim = routing_claim(name)
    if claim is not None:
        matcher = _claim_matcher(claim, match)
        matcher.invert = True
        out.dynamic_metadata.append(matcher)
        return
    header = out.headers.add(name=name, invert_match=True)
    _set_header(header, match)
    # A request without the header is to match, too.
    header.treat_missing_header_as_empty = not _is_presence(match)


def _set_header(header: Any, match: StringMatch) -> None:
    if _is_presence(match):
        header.present_match = True
    else:
        header.string_match.CopyFrom(string_matcher(match))


def _add_parameters(out: Any, parameters: Mapping[str, StringMatch]) -> None:
    for name in sorted(parameters):
        parameter = out.query_parameters.add(name=name)
        if _is_presence(parameters[name]):
            parameter.present_match = True
        else:
            parameter.string_match.CopyFrom(string_matcher(parameters[name]))


def _claim_matcher(claim: tuple[str, ...], match: StringMatch) -> Any:
    """Matches a claim that is a string or a list that holds one; any value where only presence is asked for."""
    matcher = metadata_pb2.MetadataMatcher(filter=_JWT_FILTER)
    for key in (_JWT_PAYLOAD, *claim):
        matcher.path.add(key=key)
    if _is_presence(match):
        matcher.value.present_match = True
        return matcher
    either = matcher.value.or_match.value_matchers
    either.add().string_match.CopyFrom(string_matcher(match))
    either.add().list_match.one_of.string_match.CopyFrom(string_matcher(match))
    return matcher


def everything() -> Any:
    """A RouteMatch for every request."""
    return route_components_pb2.RouteMatch(prefix="/")
