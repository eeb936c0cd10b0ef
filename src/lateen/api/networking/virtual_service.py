"""VirtualService (networking.istio.io): how requests and connections to a host are routed.

Source: istio/api, networking/v1alpha3/virtual_service.proto.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

from lateen.api.schema.duration import Duration
from lateen.api.schema.message import Int32, Message, UInt32, other_name, rules

AtLeastMillisecond = Annotated[Duration, rules(("duration(self) >= duration('1ms')", "must be at least 1 ms"))]

Base64 = bytes
"""Bytes, written in base64."""


class StringMatch(Message):
    """How to match a string, case-sensitively."""

    exact: str | None = None
    """The whole string."""
    prefix: str | None = None
    """How the string begins."""
    regex: str | None = None
    """An RE2 expression that the whole string matches."""

    oneofs: ClassVar = (("exact", "prefix", "regex"),)


class PortSelector(Message):
    """Chooses a port of a service."""

    number: UInt32 = 0
    """The port's number."""


class Percent(Message):
    """A share of all, from 0 to 100."""

    value: float = 0.0
    """Percent; 0.1 is one in a thousand."""


class Destination(Message):
    """A service to send traffic to."""

    host: str
    """The service's host name. A short name is relative to the VirtualService's namespace."""
    subset: str = ""
    """A subset that a DestinationRule of the host defines."""
    port: PortSelector | None = None
    """The service's port; may be left out when it has only one."""


class HeaderOperations(Message):
    """Changes to the headers of a request or a response."""

    set: dict[str, str] = {}
    """Headers to overwrite with these values."""
    add: dict[str, str] = {}
    """Values to append to these headers."""
    remove: tuple[str, ...] = ()
    """Headers to remove."""


class Headers(Message):
    """Changes to the headers of both directions."""

    request: HeaderOperations | None = None
    """Applied before the request is forwarded."""
    response: HeaderOperations | None = None
    """Applied before the response is returned."""


class HTTPMatchRequest(Message):
    """Conditions on a request, all of which must hold."""

    name: str = ""
    """Joined to the route's name in access logs."""
    uri: StringMatch | None = None
    """The path; a prefix or exact match may ignore case."""
    scheme: StringMatch | None = None
    """The URI's scheme."""
    method: StringMatch | None = None
    """The HTTP method."""
    authority: StringMatch | None = None
    """The Host or :authority header."""
    headers: dict[str, StringMatch] = {}
    """Headers by lower-case name; an empty match asks only for presence."""
    port: UInt32 = 0
    """The port of the host that is addressed."""
    source_labels: dict[str, str] = {}
    """Labels the calling workload must have; only for gateway `mesh`."""
    gateways: tuple[str, ...] = ()
    """Gateways where this applies, in place of the VirtualService's own list."""
    query_params: dict[str, StringMatch] = {}
    """Query parameters by name; an empty match asks only for presence."""
    ignore_uri_case: bool = False
    """Whether exact and prefix matches of the path ignore case."""
    without_headers: dict[str, StringMatch] = {}
    """Headers that must not match."""
    source_namespace: str = ""
    """Namespace the calling workload must be in; only for gateway `mesh`."""
    stat_prefix: str = ""
    """Prefix of Envoy's own statistics for this route."""


class Delegate(Message):
    """Another VirtualService that holds the routes."""

    name: str = ""
    """Its name."""
    namespace: str = ""
    """Its namespace; by default the delegating one's."""


class RedirectPortSelection(Enum):
    """How a redirect's port comes about."""

    FROM_PROTOCOL_DEFAULT = "FROM_PROTOCOL_DEFAULT"
    """80 for http and 443 for https."""
    FROM_REQUEST_PORT = "FROM_REQUEST_PORT"
    """The request's own port."""


class HTTPRedirect(Message):
    """Answers with a redirect."""

    uri: str = ""
    """Replaces the whole path, whichever way it was matched."""
    authority: str = ""
    """Replaces the host."""
    port: UInt32 | None = None
    """Replaces the port."""
    derive_port: RedirectPortSelection | None = None
    """Where the port comes from instead."""
    scheme: str = ""
    """Replaces the scheme."""
    redirect_code: UInt32 = 0
    """HTTP status of the answer; 301 by default."""

    oneofs: ClassVar = (("port", "derive_port"),)


class HTTPBody(Message):
    """Content of a direct response."""

    string: str | None = None
    """As text."""
    bytes: Base64 | None = None
    """As bytes."""

    oneofs: ClassVar = (("string", "bytes"),)


class HTTPDirectResponse(Message):
    """Answers at once, without any upstream."""

    status: UInt32
    """HTTP status."""
    body: HTTPBody | None = None
    """Content; none by default."""


class RegexRewrite(Message):
    """Replaces what an expression matches."""

    match: str = ""
    """An RE2 expression, searched for in the path."""
    rewrite: str = ""
    """What replaces each match; `\\1` is its first group."""


class HTTPRewrite(Message):
    """Changes the request before it is forwarded."""

    uri: str = ""
    """Replaces the path, or the prefix that was matched."""
    authority: str = ""
    """Replaces the Host header."""
    uri_regex_rewrite: RegexRewrite | None = None
    """Rewrites the path by expression."""


class HTTPRetry(Message):
    """When and how often a failed request is tried again."""

    attempts: Int32 = 0
    """Retries after the first attempt; 0 for none."""
    per_try_timeout: AtLeastMillisecond | None = None
    """Limit of each attempt, the first included; at least 1 ms. By default the route's timeout."""
    retry_on: str = ""
    """Envoy's retry conditions and HTTP status codes, separated by commas."""
    retry_remote_localities: bool | None = None
    """Whether retries prefer other localities."""
    retry_ignore_previous_hosts: bool | None = None
    """Whether retries avoid hosts already tried; true by default."""
    backoff: AtLeastMillisecond | None = None
    """Base interval between retries; 25 ms by default."""


class UnmatchedPreflights(Enum):
    """What becomes of a preflight request whose origin no policy allows."""

    UNSPECIFIED = "UNSPECIFIED"
    """As FORWARD."""
    FORWARD = "FORWARD"
    """Forwarded to the upstream."""
    IGNORE = "IGNORE"
    """Answered by the proxy without CORS headers."""


class CorsPolicy(Message):
    """Cross-origin resource sharing."""

    allow_origin: tuple[str, ...] = ()
    """Deprecated, use allowOrigins: allowed origins; `*` for all."""
    allow_origins: tuple[StringMatch, ...] = ()
    """Allowed origins, any of which suffices."""
    allow_methods: tuple[str, ...] = ()
    """Content of Access-Control-Allow-Methods."""
    allow_headers: tuple[str, ...] = ()
    """Content of Access-Control-Allow-Headers."""
    expose_headers: tuple[str, ...] = ()
    """Content of Access-Control-Expose-Headers."""
    max_age: AtLeastMillisecond | None = None
    """How long the result of a preflight may be cached."""
    allow_credentials: bool | None = None
    """Content of Access-Control-Allow-Credentials."""
    unmatched_preflights: UnmatchedPreflights = UnmatchedPreflights.UNSPECIFIED
    """What becomes of preflight requests that match no origin."""


class Delay(Message):
    """Holds requests back."""

    percent: Int32 = 0
    """Deprecated, use percentage: share of the requests."""
    fixed_delay: AtLeastMillisecond | None = None
    """How long; at least 1 ms."""
    exponential_delay: AtLeastMillisecond | None = None
    """Mean of an exponential distribution."""
    percentage: Percent | None = None
    """Share of the requests; none by default."""

    oneofs: ClassVar = (("fixed_delay", "exponential_delay"),)


class Abort(Message):
    """Answers requests with an error."""

    http_status: Int32 | None = None
    """HTTP status of the answer."""
    grpc_status: str | None = None
    """gRPC status of the answer, by name (`UNAVAILABLE`)."""
    http2_error: str | None = None
    """HTTP/2 error of the answer."""
    percentage: Percent | None = None
    """Share of the requests; none by default."""

    oneofs: ClassVar = (("http_status", "grpc_status", "http2_error"),)


class HTTPFaultInjection(Message):
    """Faults to inject on the client's side."""

    delay: Delay | None = None
    """Delays, independent of aborts."""
    abort: Abort | None = None
    """Errors."""


class HTTPMirrorPolicy(Message):
    """Sends copies of requests to another service, whose answers are thrown away."""

    destination: Destination
    """Where the copies go."""
    percentage: Percent | None = None
    """Share of the requests; all of them by default."""


class HTTPRouteDestination(Message):
    """One of the services that share a route's requests."""

    destination: Destination
    """The service."""
    weight: Int32 = 0
    """Its share relative to the sum of all weights; a lone destination gets all."""
    headers: Headers | None = None
    """Changes to headers of the requests that go there."""


class HTTPRoute(Message):
    """What to do with HTTP requests that match."""

    name: str = ""
    """For access logs and Envoy's configuration."""
    match: tuple[HTTPMatchRequest, ...] = ()
    """Alternatives, any of which suffices; none matches everything."""
    route: tuple[HTTPRouteDestination, ...] = ()
    """Where requests are forwarded to."""
    redirect: HTTPRedirect | None = None
    """Answers with a redirect instead."""
    direct_response: HTTPDirectResponse | None = None
    """Answers with a fixed response instead."""
    delegate: Delegate | None = None
    """Another VirtualService that says what to do."""
    rewrite: HTTPRewrite | None = None
    """Changes to path and host before forwarding."""
    timeout: AtLeastMillisecond | None = None
    """Limit of the whole request, retries included; none by default."""
    retries: HTTPRetry | None = None
    """When to try again; by default the mesh's policy."""
    fault: HTTPFaultInjection | None = None
    """Faults to inject."""
    mirror: Destination | None = None
    """Where copies of requests go."""
    mirrors: tuple[HTTPMirrorPolicy, ...] = ()
    """The same, to several services."""
    mirror_percent: Annotated[UInt32, other_name("mirror_percent")] | None = None
    """Deprecated, use mirrorPercentage: share of the requests that `mirror` gets."""
    mirror_percentage: Percent | None = None
    """Share of the requests that `mirror` gets; all of them by default."""
    cors_policy: CorsPolicy | None = None
    """Cross-origin resource sharing."""
    headers: Headers | None = None
    """Changes to headers."""


class RouteDestination(Message):
    """One of the services that share a route's connections."""

    destination: Destination
    """The service."""
    weight: Int32 = 0
    """Its share relative to the sum of all weights; a lone destination gets all."""


class TLSMatchAttributes(Message):
    """Conditions on a TLS connection that is passed through, all of which must hold."""

    sni_hosts: tuple[str, ...]
    """Server names of the client's hello; `*.` prefixes allowed. Within the VirtualService's hosts."""
    destination_subnets: tuple[str, ...] = ()
    """Addresses or CIDRs the client connects to."""
    port: UInt32 = 0
    """The port of the host that is addressed."""
    source_labels: dict[str, str] = {}
    """Labels the calling workload must have; only for gateway `mesh`."""
    gateways: tuple[str, ...] = ()
    """Gateways where this applies, in place of the VirtualService's own list."""
    source_namespace: str = ""
    """Namespace the calling workload must be in; only for gateway `mesh`."""


class TLSRoute(Message):
    """What to do with TLS connections that match."""

    match: tuple[TLSMatchAttributes, ...]
    """Alternatives, any of which suffices."""
    route: tuple[RouteDestination, ...] = ()
    """Where connections are forwarded to."""


class L4MatchAttributes(Message):
    """Conditions on a connection, all of which must hold."""

    destination_subnets: tuple[str, ...] = ()
    """Addresses or CIDRs the client connects to."""
    port: UInt32 = 0
    """The port of the host that is addressed."""
    source_subnet: str = ""
    """Address or CIDR of the client."""
    source_labels: dict[str, str] = {}
    """Labels the calling workload must have; only for gateway `mesh`."""
    gateways: tuple[str, ...] = ()
    """Gateways where this applies, in place of the VirtualService's own list."""
    source_namespace: str = ""
    """Namespace the calling workload must be in; only for gateway `mesh`."""


class TCPRoute(Message):
    """What to do with connections that match."""

    match: tuple[L4MatchAttributes, ...] = ()
    """Alternatives, any of which suffices; none matches everything."""
    route: tuple[RouteDestination, ...] = ()
    """Where connections are forwarded to."""


class VirtualService(Message):
    """How requests and connections to hosts are routed."""

    hosts: tuple[str, ...] = ()
    """Host names (`*.` prefixes allowed) or addresses this is about; none in a delegate."""
    gateways: tuple[str, ...] = ()
    """Gateways (`name` or `namespace/name`) and `mesh`, for all sidecars; `mesh` by default."""
    http: tuple[HTTPRoute, ...] = ()
    """Routes of HTTP requests, the first that matches wins."""
    tls: tuple[TLSRoute, ...] = ()
    """Routes of TLS connections that are not terminated, the first that matches wins."""
    tcp: tuple[TCPRoute, ...] = ()
    """Routes of other connections, the first that matches wins."""
    export_to: tuple[str, ...] = ()
    """Namespaces that see this: names, `.` for its own, `*` for all; by default as the mesh says."""

    @property
    def matches(self) -> tuple[HTTPMatchRequest | TLSMatchAttributes | L4MatchAttributes, ...]:
        """The matches of all routes."""
        return (
            *(match for http in self.http for match in http.match),
            *(match for tls in self.tls for match in tls.match),
            *(match for tcp in self.tcp for match in tcp.match),
        )
