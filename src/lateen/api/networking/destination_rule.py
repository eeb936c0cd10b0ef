"""DestinationRule (networking.istio.io): what a client does with connections to a service once a route chose it."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from msgspec import Meta, field

from lateen.api.networking.virtual_service import PortSelector
from lateen.api.schema.duration import Duration
from lateen.api.schema.message import Int32, Message, UInt32, rules
from lateen.api.type.selector import WorkloadSelector

AtLeastOneMillisecond = Annotated[
    Duration, rules(("duration(self) >= duration('1ms')", "must be a valid duration greater than 1ms"))
]
Percentage = Annotated[float, Meta(ge=0, le=100)]
NotNegative = Annotated[float, Meta(ge=0)]
Size = Annotated[int, Meta(ge=0)]
"""uint64; msgspec knows no greater bound than that of int64."""


# --- load balancing -----------------------------------------------------------------------------------------------


class SimpleLB(Enum):
    """Algorithms that need no settings."""

    UNSPECIFIED = "UNSPECIFIED"
    """The mesh's default: LEAST_REQUEST."""
    LEAST_CONN = "LEAST_CONN"
    """Deprecated name of LEAST_REQUEST."""
    RANDOM = "RANDOM"
    PASSTHROUGH = "PASSTHROUGH"
    """To the address the application dialled, without balancing."""
    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_REQUEST = "LEAST_REQUEST"


class CookieAttribute(Message):
    name: str
    """Name of the attribute (`SameSite`)."""
    value: str = ""
    """Its value, where it has one."""


class HTTPCookie(Message):
    """A cookie that keeps a client at its endpoint."""

    name: str
    """Name of the cookie."""
    path: str = ""
    """Path that a generated cookie is set for."""
    ttl: Duration | None = None
    """Lifetime of a cookie the proxy makes when there is none; zero: a session cookie; absent: none is made."""
    attributes: tuple[CookieAttribute, ...] = ()
    """Further attributes of a generated cookie."""


class RingHash(Message):
    minimum_ring_size: Size = 0
    """Fewest virtual nodes of the ring; default 1024."""


class MagLev(Message):
    table_size: Size = 0
    """Size of the table: a prime below 5000011; default 65537."""


class ConsistentHashLB(Message):
    """Requests of equal hash keys go to the same endpoint as long as the set of endpoints stays."""

    http_header_name: str = ""
    """The key is the value of this header."""
    http_cookie: HTTPCookie | None = None
    """The key is the value of this cookie."""
    use_source_ip: bool = False
    """The key is the client's address."""
    http_query_parameter_name: str = ""
    """The key is the value of this query parameter."""
    ring_hash: RingHash | None = None
    """Hash with a ring (default)."""
    maglev: MagLev | None = None
    """Hash with a Maglev table."""
    minimum_ring_size: Size = 0
    """Deprecated: use `ringHash.minimumRingSize`."""

    oneofs = (
        ("http_header_name", "http_cookie", "use_source_ip", "http_query_parameter_name"),
        ("ring_hash", "maglev"),
    )


class Distribute(Message):
    """Explicit shares of the traffic that comes from one locality."""

    from_: str = field(default="", name="from")
    """Locality of the client: `region/zone/subzone`, with `*` at the end."""
    to: dict[str, UInt32] = {}
    """Locality of endpoints to share in percent; together 100."""


class Failover(Message):
    """Where the traffic of a region goes when its own endpoints are unhealthy."""

    from_: str = field(default="", name="from")
    """Region of the client."""
    to: str = ""
    """Region to go to."""


class LocalityLoadBalancerSetting(Message):
    """Replaces the mesh's setting wholly: nothing is merged."""

    distribute: tuple[Distribute, ...] = ()
    """Explicit shares. Excludes `failover` and `failoverPriority`."""
    failover: tuple[Failover, ...] = ()
    """Regions to fail over to. Needs outlier detection. Excludes `distribute`."""
    failover_priority: tuple[str, ...] = ()
    """Labels (`key` or `key=value`), the most important first: the more of them an endpoint matches, the higher its
    priority. Needs outlier detection. Excludes `distribute`."""
    enabled: bool | None = None
    """Locality load balancing on or off for this host, whatever the mesh says."""


class WarmupConfiguration(Message):
    """A new endpoint gets its share of traffic gradually."""

    duration: AtLeastOneMillisecond
    """How long it takes to reach the full share."""
    minimum_percent: Percentage | None = None
    """Share at the start, in percent; default 10."""
    aggression: NotNegative | None = None
    """1.0 (default) grows linearly; greater grows faster at first."""


class LoadBalancerSettings(Message):
    simple: SimpleLB | None = None
    """An algorithm without settings."""
    consistent_hash: ConsistentHashLB | None = None
    """Session affinity by hash."""
    locality_lb_setting: LocalityLoadBalancerSetting | None = None
    """Locality load balancing for this host, in place of the mesh's."""
    warmup_duration_secs: AtLeastOneMillisecond | None = None
    """Deprecated: use `warmup.duration`."""
    warmup: WarmupConfiguration | None = None
    """Gradual start of new endpoints, for ROUND_ROBIN and LEAST_REQUEST."""

    oneofs = (("simple", "consistent_hash"),)


# --- connection pools ---------------------------------------------------------------------------------------------


class TcpKeepalive(Message):
    """SO_KEEPALIVE; what is absent is the kernel's default."""

    probes: UInt32 = 0
    """Unanswered probes until the connection counts as dead."""
    time: AtLeastOneMillisecond | None = None
    """Idle time before the first probe."""
    interval: AtLeastOneMillisecond | None = None
    """Time between probes."""


class TCPSettings(Message):
    max_connections: Int32 = 0
    """Most connections to the service; default 4294967295."""
    connect_timeout: AtLeastOneMillisecond | None = None
    """Time to connect in; the mesh's default is 10s."""
    tcp_keepalive: TcpKeepalive | None = None
    """Keepalive probes of connections to the service."""
    max_connection_duration: AtLeastOneMillisecond | None = None
    """A connection is closed at this age; default: never."""
    idle_timeout: Duration | None = None
    """A TCP proxy connection without bytes either way is closed after this; default 1h, zero: never."""


class H2UpgradePolicy(Enum):
    DEFAULT = "DEFAULT"
    """As the mesh says (`meshConfig.h2UpgradePolicy`)."""
    DO_NOT_UPGRADE = "DO_NOT_UPGRADE"
    UPGRADE = "UPGRADE"


class HTTPSettings(Message):
    http1_max_pending_requests: Int32 = 0
    """Most requests that wait for a connection; default 4294967295. HTTP/1.1 and HTTP/2."""
    http2_max_requests: Int32 = 0
    """Most active requests; default 4294967295. HTTP/1.1 and HTTP/2."""
    max_requests_per_connection: Int32 = 0
    """A connection is closed after so many requests; 1 turns keep-alive off; default: no limit."""
    max_retries: Int32 = 0
    """Most outstanding retries; default 4294967295."""
    idle_timeout: AtLeastOneMillisecond | None = None
    """A connection without active requests is closed after this; default 1h."""
    h2_upgrade_policy: H2UpgradePolicy = H2UpgradePolicy.DEFAULT
    """Whether HTTP/1.1 requests go out as HTTP/2."""
    use_client_protocol: bool = False
    """The version of HTTP that the client spoke is kept; `h2UpgradePolicy` has no effect then."""
    max_concurrent_streams: Int32 = 0
    """Most concurrent streams on one HTTP/2 connection; default 2147483647."""


class ConnectionPoolSettings(Message):
    tcp: TCPSettings | None = None
    """For TCP and HTTP alike."""
    http: HTTPSettings | None = None
    """For HTTP."""


# --- outlier detection --------------------------------------------------------------------------------------------


class OutlierDetection(Message):
    """Endpoints that fail are left out for a while."""

    consecutive_errors: Int32 = 0
    """Deprecated: use `consecutive5xxErrors` or `consecutiveGatewayErrors`."""
    split_external_local_origin_errors: bool = False
    """Failures to connect are counted apart from answers of 5xx."""
    consecutive_local_origin_failures: UInt32 | None = None
    """Failures to connect in a row until ejection, where they are counted apart; default 5."""
    consecutive_gateway_errors: UInt32 | None = None
    """Answers of 502, 503, 504 (or failed connections) in a row until ejection; default and 0: not counted."""
    consecutive_5xx_errors: UInt32 | None = field(default=None, name="consecutive5xxErrors")
    """Answers of 5xx (or failed connections) in a row until ejection; default 5, 0: not counted."""
    interval: AtLeastOneMillisecond | None = None
    """Between sweeps; default 10s."""
    base_ejection_time: AtLeastOneMillisecond | None = None
    """Times the number of ejections so far, how long an endpoint is left out; default 30s."""
    max_ejection_percent: Int32 = 0
    """Largest share of endpoints left out, in percent; default 10."""
    min_health_percent: Int32 = 0
    """Below this share of healthy endpoints, all are used again; default 0: never."""


# --- TLS ----------------------------------------------------------------------------------------------------------


class TLSmode(Enum):
    DISABLE = "DISABLE"
    """Plain text."""
    SIMPLE = "SIMPLE"
    """TLS without a client certificate."""
    MUTUAL = "MUTUAL"
    """TLS with a client certificate of the user's."""
    ISTIO_MUTUAL = "ISTIO_MUTUAL"
    """TLS with the certificate the mesh gave the workload."""


class ClientTLSSettings(Message):
    mode: TLSmode = TLSmode.DISABLE
    """How connections are secured."""
    client_certificate: str = ""
    """File of the client certificate; MUTUAL only."""
    private_key: str = ""
    """File of its private key; MUTUAL only."""
    ca_certificates: str = ""
    """File of the roots that the server's certificate is verified with; absent: the system's."""
    credential_name: str = ""
    """Secret with certificate, key and roots, in place of files; at sidecars only with a `workloadSelector`."""
    subject_alt_names: tuple[str, ...] = ()
    """Names of which the server's certificate must hold one, in place of the ServiceEntry's."""
    sni: str = ""
    """Server name to ask for; absent: the request's authority."""
    insecure_skip_verify: bool | None = None
    """The server's certificate and name are not verified."""
    ca_crl: str = ""
    """File of the certificate revocation list."""


# --- the policy and the rule --------------------------------------------------------------------------------------


class PortTrafficPolicy(Message):
    """The policy of one port. What it leaves out is default, not what the destination's policy says."""

    port: PortSelector | None = None
    """Port of the service."""
    load_balancer: LoadBalancerSettings | None = None
    """How endpoints are chosen."""
    connection_pool: ConnectionPoolSettings | None = None
    """Volume of connections."""
    outlier_detection: OutlierDetection | None = None
    """When endpoints are left out."""
    tls: ClientTLSSettings | None = None
    """How connections are secured."""


class TunnelSettings(Message):
    """TCP is carried inside an HTTP request to the destination."""

    protocol: str = ""
    """`CONNECT` (default) or `POST`."""
    target_host: str
    """Where the tunnel ends: a host name or IP address."""
    target_port: UInt32
    """Port where the tunnel ends."""


class ProxyProtocolVersion(Enum):
    V1 = "V1"
    """Text."""
    V2 = "V2"
    """Binary."""


class ProxyProtocol(Message):
    version: ProxyProtocolVersion = ProxyProtocolVersion.V1
    """Version of the PROXY protocol."""


class RetryBudget(Message):
    """A limit of concurrent retries relative to active requests."""

    percent: Percentage | None = None
    """Of active and pending requests; default 20."""
    min_retry_concurrency: UInt32 = 0
    """Retries that are always allowed; default 3."""


class TrafficPolicy(Message):
    load_balancer: LoadBalancerSettings | None = None
    """How endpoints are chosen."""
    connection_pool: ConnectionPoolSettings | None = None
    """Volume of connections."""
    outlier_detection: OutlierDetection | None = None
    """When endpoints are left out."""
    tls: ClientTLSSettings | None = None
    """How connections are secured."""
    port_level_settings: Annotated[tuple[PortTrafficPolicy, ...], Meta(max_length=4096)] = ()
    """Policies of single ports, in place of this one's."""
    tunnel: TunnelSettings | None = None
    """TCP goes through an HTTP tunnel."""
    proxy_protocol: ProxyProtocol | None = None
    """Connections begin with a PROXY protocol header."""
    retry_budget: RetryBudget | None = None
    """Limit of retries, in place of `maxRetries`."""


class Subset(Message):
    """A named part of a service's endpoints."""

    name: str
    """Named by routes."""
    labels: dict[str, str] = {}
    """Endpoints that have all of these are of the subset; none: all are."""
    traffic_policy: TrafficPolicy | None = None
    """Overrides what the rule says, setting by setting."""


class DestinationRule(Message):
    host: str
    """Service that the rule is for: a host name, in full or relative to the rule's namespace; `*` at the front."""
    traffic_policy: TrafficPolicy | None = None
    """For all ports and subsets."""
    subsets: tuple[Subset, ...] = ()
    """Versions of the service."""
    export_to: tuple[str, ...] = ()
    """Namespaces whose clients follow the rule: names, `.` (its own) or `*`; absent: the mesh's default."""
    workload_selector: WorkloadSelector | None = None
    """Clients in the rule's own namespace that follow it; absent: all."""
