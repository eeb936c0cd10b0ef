"""Faults of the HTTP routes of a VirtualService."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.networking.http_names import (
    CORS_METHODS,
    GRPC_STATUS,
    RETRY_CONDITIONS,
    is_authority,
    is_status,
    wrong_cors_header,
    wrong_header_value,
    wrong_set_header,
)
from lateen.api.networking.regular_expressions import regex_faults, wrong_substitution
from lateen.api.networking.route_match_validation import destination_faults, http_match_faults
from lateen.api.networking.virtual_service import (
    Abort,
    CorsPolicy,
    Delay,
    HeaderOperations,
    Headers,
    HTTPDirectResponse,
    HTTPFaultInjection,
    HTTPRedirect,
    HTTPRetry,
    HTTPRewrite,
    HTTPRoute,
    Percent,
)
from lateen.api.schema.duration import Duration
from lateen.api.schema.fault import Fault, error, warning

_MILLISECOND = 1_000_000
_SECOND = 1_000_000_000
_LARGE_BODY = 100 * 1024
_LARGEST_BODY = 1024 * 1024
_REDIRECT_CODES = (301, 302, 303, 307, 308)


def http_route_faults(path: str, route: HTTPRoute, *, of_delegate: bool) -> Iterator[Fault]:
    """Faults of one HTTP route; `of_delegate` when its VirtualService has no hosts."""
    yield from _conflicts(path, route, of_delegate)
    for index, match in enumerate(route.match):
        yield from http_match_faults(f"{path}.match[{index}]", match)
    if route.headers is not None:
        yield from _headers(f"{path}.headers", route.headers)
    if route.cors_policy is not None:
        yield from _cors(f"{path}.corsPolicy", route.cors_policy)
    if route.fault is not None:
        yield from _fault(f"{path}.fault", route.fault)
    if route.mirror is not None or route.mirrors or (route.mirror_percent, route.mirror_percentage) != (None, None):
        yield from _mirrors(path, route)
    if route.redirect is not None:
        yield from _redirect(f"{path}.redirect", route.redirect)
    if route.direct_response is not None:
        yield from _direct_response(f"{path}.directResponse", route.direct_response)
    if route.retries is not None:
        yield from retry_faults(f"{path}.retries", route.retries)
    if route.rewrite is not None:
        yield from _rewrite(f"{path}.rewrite", route.rewrite)
    if route.rewrite is not None or route.headers is not None:
        yield from _authority_set_twice(path, route)
    yield from _destinations(path, route)
    if route.timeout is not None:
        yield from _duration(f"{path}.timeout", route.timeout)


def retry_faults(path: str, retries: HTTPRetry) -> Iterator[Fault]:
    """Faults of a retry policy (of a route, or of the mesh)."""
    if retries.attempts < 0:
        yield error(f"{path}.attempts", f"must not be negative, not {retries.attempts}")
    given = retries.per_try_timeout is not None or retries.retry_on or retries.retry_remote_localities is not None
    if retries.attempts == 0 and given:
        yield error(f"{path}.attempts", "must be set when other fields are: 0 disables retries")
    if retries.per_try_timeout is not None:
        yield from _duration(f"{path}.perTryTimeout", retries.per_try_timeout)
    if retries.backoff is not None:
        yield from _duration(f"{path}.backoff", retries.backoff)
    if retries.retry_on:
        for condition in retries.retry_on.split(","):
            name = condition.strip()
            if name not in RETRY_CONDITIONS and not is_status(name):
                yield error(f"{path}.retryOn", f"must list retry conditions or HTTP status codes, not {name!r}")


def _conflicts(path: str, route: HTTPRoute, of_delegate: bool) -> Iterator[Fault]:
    if route.delegate is not None:
        if of_delegate:
            yield error(f"{path}.delegate", "must not be set in a delegate: only one level is supported")
        for field, given in (
            ("redirect", route.redirect is not None),
            ("directResponse", route.direct_response is not None),
            ("route", bool(route.route)),
        ):
            if given:
                yield error(f"{path}.{field}", "must not be set beside delegate")
        if not route.delegate.name:
            yield error(f"{path}.delegate.name", "must name a VirtualService")
        return
    actions = [
        field
        for field, given in (
            ("route", bool(route.route)),
            ("redirect", route.redirect is not None),
            ("directResponse", route.direct_response is not None),
        )
        if given
    ]
    if not actions:
        yield error(path, "must have route, redirect or directResponse")
    for field in actions[1:]:
        yield error(f"{path}.{field}", f"must not be set beside {actions[0]}")
    if actions and actions[0] != "route":
        for field, present in (("fault", route.fault), ("rewrite", route.rewrite)):
            if present is not None:
                yield error(f"{path}.{field}", f"must not be set beside {actions[0]}")
    if route.mirror is not None and route.mirrors:
        yield error(f"{path}.mirrors", "must not be set beside mirror")
    yield from _without_effect(path, route)


def _without_effect(path: str, route: HTTPRoute) -> Iterator[Fault]:
    """Fields that only count beside others."""
    if not route.route and (route.redirect is not None or route.direct_response is not None):
        for field, given in (
            ("timeout", route.timeout is not None),
            ("retries", route.retries is not None),
            ("mirror", route.mirror is not None),
            ("mirrors", bool(route.mirrors)),
        ):
            if given:
                yield warning(f"{path}.{field}", "has no effect: nothing is forwarded")
    elif route.mirror is None:
        for field, share in (("mirrorPercentage", route.mirror_percentage), ("mirrorPercent", route.mirror_percent)):
            if share is not None:
                yield warning(f"{path}.{field}", "has no effect without mirror")


def _headers(path: str, headers: Headers) -> Iterator[Fault]:
    if headers.request is not None:
        yield from _operations(f"{path}.request", headers.request, authority_allowed=True)
    if headers.response is not None:
        yield from _operations(f"{path}.response", headers.response, authority_allowed=False)


def _operations(path: str, operations: HeaderOperations, *, authority_allowed: bool) -> Iterator[Fault]:
    for field, given in (("set", operations.set), ("add", operations.add)):
        for name, value in given.items():
            here = f"{path}.{field}[{name!r}]"
            if wrong := wrong_set_header(name, authority_allowed=authority_allowed):
                yield error(here, wrong)
            if wrong := wrong_header_value(value):
                yield error(here, wrong)
    for index, name in enumerate(operations.remove):
        if wrong := wrong_set_header(name, authority_allowed=False):
            yield error(f"{path}.remove[{index}]", wrong)


def _authority_set_twice(path: str, route: HTTPRoute) -> Iterator[Fault]:
    where = ["rewrite.authority"] if route.rewrite is not None and route.rewrite.authority else []
    request = route.headers.request if route.headers is not None else None
    if request is not None:
        for field, given in (("set", request.set), ("add", request.add)):
            where += [f"headers.request.{field}[{name!r}]" for name in given if is_authority(name)]
    for field in where[1:]:
        yield error(f"{path}.{field}", f"sets the authority, which {where[0]} sets too")


def _cors(path: str, policy: CorsPolicy) -> Iterator[Fault]:
    for index, origin in enumerate(policy.allow_origins):
        here = f"{path}.allowOrigins[{index}]"
        if not (origin.exact or origin.prefix or origin.regex):
            yield error(here, "must have an exact, prefix or regex that is not empty")
        elif origin.regex is not None:
            yield from regex_faults(f"{here}.regex", origin.regex)
    if policy.allow_origin:
        yield warning(f"{path}.allowOrigin", "is deprecated: use allowOrigins")
        if policy.allow_origins:
            yield warning(f"{path}.allowOrigin", "has no effect beside allowOrigins")
    for index, method in enumerate(policy.allow_methods):
        if method not in CORS_METHODS:
            yield error(f"{path}.allowMethods[{index}]", f"must be an HTTP method, not {method!r}")
    for field, names in (("allowHeaders", policy.allow_headers), ("exposeHeaders", policy.expose_headers)):
        for index, name in enumerate(names):
            if wrong := wrong_cors_header(name):
                yield error(f"{path}.{field}[{index}]", wrong)
    if policy.max_age is not None:
        yield from _duration(f"{path}.maxAge", policy.max_age)
        if policy.max_age.nanoseconds % _SECOND:
            yield error(f"{path}.maxAge", "must be whole seconds")


def _fault(path: str, fault: HTTPFaultInjection) -> Iterator[Fault]:
    if fault.delay is None and fault.abort is None:
        yield error(path, "must have delay or abort")
    if fault.delay is not None:
        yield from _delay(f"{path}.delay", fault.delay)
    if fault.abort is not None:
        yield from _abort(f"{path}.abort", fault.abort)


def _delay(path: str, delay: Delay) -> Iterator[Fault]:
    yield from _percentage(f"{path}.percentage", delay.percentage)
    if delay.percent:
        yield warning(f"{path}.percent", "is deprecated: use percentage")
        if not 0 <= delay.percent <= 100:
            yield error(f"{path}.percent", f"must be from 0 to 100, not {delay.percent}")
    elif delay.percentage is None:
        yield warning(path, "delays nothing without percentage")
    if delay.fixed_delay is not None:
        yield from _duration(f"{path}.fixedDelay", delay.fixed_delay)
    elif delay.exponential_delay is not None:
        yield error(f"{path}.exponentialDelay", "is not supported: use fixedDelay")
    else:
        yield warning(path, "has no effect without fixedDelay")


def _abort(path: str, abort: Abort) -> Iterator[Fault]:
    yield from _percentage(f"{path}.percentage", abort.percentage)
    if abort.percentage is None:
        yield warning(path, "aborts nothing without percentage")
    if abort.http_status is not None:
        yield from _status(f"{path}.httpStatus", abort.http_status)
    elif abort.grpc_status is not None:
        if abort.grpc_status not in GRPC_STATUS:
            yield error(f"{path}.grpcStatus", f"must be a gRPC status like NOT_FOUND, not {abort.grpc_status!r}")
    elif abort.http2_error is not None:
        yield error(f"{path}.http2Error", "is not supported: use httpStatus or grpcStatus")
    else:
        yield warning(path, "has no effect without httpStatus or grpcStatus")


def _mirrors(path: str, route: HTTPRoute) -> Iterator[Fault]:
    if route.mirror is not None:
        yield from destination_faults(f"{path}.mirror", route.mirror)
    if route.mirror_percent is not None:
        yield warning(f"{path}.mirrorPercent", "is deprecated: use mirrorPercentage")
        if route.mirror_percent > 100:
            yield error(f"{path}.mirrorPercent", f"must be from 0 to 100, not {route.mirror_percent}")
    yield from _percentage(f"{path}.mirrorPercentage", route.mirror_percentage)
    for index, mirror in enumerate(route.mirrors):
        yield from destination_faults(f"{path}.mirrors[{index}].destination", mirror.destination)
        yield from _percentage(f"{path}.mirrors[{index}].percentage", mirror.percentage)


def _redirect(path: str, redirect: HTTPRedirect) -> Iterator[Fault]:
    port_given = redirect.port is not None or redirect.derive_port is not None
    if not (redirect.uri or redirect.authority or redirect.scheme or port_given):
        yield error(path, "must have uri, authority, scheme, port or derivePort")
    if redirect.redirect_code and not 300 <= redirect.redirect_code <= 399:
        yield error(f"{path}.redirectCode", f"must be from 300 to 399, not {redirect.redirect_code}")
    elif redirect.redirect_code and redirect.redirect_code not in _REDIRECT_CODES:
        yield warning(f"{path}.redirectCode", f"{redirect.redirect_code} is not supported: 301 is sent instead")
    if redirect.scheme not in ("", "http", "https"):
        yield error(f"{path}.scheme", f"must be http or https, not {redirect.scheme!r}")
    if redirect.port is not None and redirect.port > 65535:
        yield error(f"{path}.port", f"must be from 1 to 65535, not {redirect.port}")
    for field, value in (("uri", redirect.uri), ("authority", redirect.authority)):
        if wrong := _wrong_text(value):
            yield error(f"{path}.{field}", wrong)


def _direct_response(path: str, response: HTTPDirectResponse) -> Iterator[Fault]:
    yield from _status(f"{path}.status", response.status)
    if response.body is None:
        return
    text, data = response.body.string, response.body.bytes
    size = len(text.encode()) if text is not None else len(data or b"")
    if size > _LARGEST_BODY:
        yield error(f"{path}.body", f"must have at most {_LARGEST_BODY} bytes, not {size}")
    elif size > _LARGE_BODY:
        yield warning(f"{path}.body", f"is large ({size} bytes): every proxy holds it in memory")


def _rewrite(path: str, rewrite: HTTPRewrite) -> Iterator[Fault]:
    by_regex = rewrite.uri_regex_rewrite
    if rewrite.uri and by_regex is not None:
        yield error(f"{path}.uriRegexRewrite", "must not be set beside uri")
    if not rewrite.uri and not rewrite.authority and by_regex is None:
        yield error(path, "must have uri, uriRegexRewrite or authority")
    for field, value in (("uri", rewrite.uri), ("authority", rewrite.authority)):
        if wrong := _wrong_text(value):
            yield error(f"{path}.{field}", wrong)
    if by_regex is None:
        return
    if not by_regex.match or not by_regex.rewrite:
        yield error(f"{path}.uriRegexRewrite", "must have match and rewrite")
        return
    yield from regex_faults(f"{path}.uriRegexRewrite.match", by_regex.match)
    if wrong := wrong_substitution(by_regex.match, by_regex.rewrite):
        yield error(f"{path}.uriRegexRewrite.rewrite", wrong)


def _destinations(path: str, route: HTTPRoute) -> Iterator[Fault]:
    for index, target in enumerate(route.route):
        here = f"{path}.route[{index}]"
        yield from destination_faults(f"{here}.destination", target.destination)
        if target.weight < 0:
            yield error(f"{here}.weight", f"must not be negative, not {target.weight}")
        if target.headers is not None:
            yield from _headers(f"{here}.headers", target.headers)
    weights = [target.weight for target in route.route]
    if len(weights) > 1 and not any(weights):
        yield error(f"{path}.route", "must have weights: the sum of all is 0")
    elif sum(weights) > 0xFFFFFFFF:
        yield error(f"{path}.route", f"must have weights of a sum below 2^32, not {sum(weights)}")


def _status(path: str, status: int) -> Iterator[Fault]:
    if not 200 <= status <= 599:
        yield error(path, f"must be from 200 to 599, not {status}")


def _percentage(path: str, percent: Percent | None) -> Iterator[Fault]:
    if percent is not None and not 0 <= percent.value <= 100:
        yield error(f"{path}.value", f"must be from 0 to 100, not {percent.value:g}")


def _duration(path: str, duration: Duration) -> Iterator[Fault]:
    if duration.nanoseconds < _MILLISECOND:
        yield error(path, f"must be at least 1 ms, not {duration.seconds:g} s")
    elif duration.nanoseconds % _MILLISECOND:
        yield error(path, "must be whole milliseconds")


def _wrong_text(value: str) -> str:
    bad = next((c for c in value if c < " " or c == "\x7f"), "")
    return f"must not contain the control character {bad!r}" if bad else ""
