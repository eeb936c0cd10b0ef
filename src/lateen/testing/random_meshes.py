"""Random meshes for laws: objects of every kind as users write them, and the proxies of such a mesh.

The objects are few in name and many in content, so that they meet: they shadow, select, route to and contradict each
other.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lateen.model.proxy import Interception, Proxy, Role, Traits

NAMESPACES = ("a", "b", "istio-system")
APPS = ("web", "db")
EXTERNAL = ("api.example.com", "*.wild.example.com")
HOSTS = (*(f"{app}.{ns}.svc.cluster.local" for app in APPS for ns in ("a", "b")), *EXTERNAL)

namespaces = st.sampled_from(NAMESPACES)
apps = st.sampled_from(APPS)
hosts = st.sampled_from(HOSTS)
names = st.sampled_from(("one", "two"))


def _object(api: str, kind: str, spec: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda namespace, name, spec: {
            "apiVersion": api,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": namespace,
                # Age decides between equals; it must not decide by the order of arrival.
                "creationTimestamp": f"2026-01-01T00:00:0{len(name)}Z",
            },
            "spec": spec,
        },
        namespaces,
        names,
        spec,
    )


def _some(optional: dict[str, st.SearchStrategy[Any]], **required: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(required, optional=optional)


def _service(app: str, namespace: str, ports: list[dict[str, Any]], form: str, export: str) -> dict[str, Any]:
    number = NAMESPACES.index(namespace) * 2 + APPS.index(app)
    spec: dict[str, Any] = {"ports": ports, "selector": {"app": app}}
    match form:
        case "headless":
            spec["clusterIP"] = "None"
            spec["clusterIPs"] = ["None"]
        case "external":
            spec = {"ports": ports, "type": "ExternalName", "externalName": "web.a.svc.cluster.local"}
        case _:
            spec["clusterIP"] = f"10.96.0.{number + 1}"
            spec["clusterIPs"] = [f"10.96.0.{number + 1}"]
    annotations = {"networking.istio.io/exportTo": export} if export else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": app, "namespace": namespace, "annotations": annotations},
        "spec": spec,
    }


services = st.builds(
    _service,
    apps,
    namespaces,
    st.sampled_from(
        (
            [{"name": "http", "port": 80, "targetPort": 8080}],
            [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "tcp", "port": 90, "targetPort": 9090}],
            [{"name": "grpc", "port": 90, "targetPort": 9090}, {"name": "unnamed", "port": 91}],
            [{"name": "tcp-data", "port": 80, "targetPort": 8080}],
            [{"name": "tls", "port": 443}, {"name": "mongo", "port": 27017}],
        )
    ),
    st.sampled_from(("cluster", "cluster", "headless", "external")),
    st.sampled_from(("", "", ".", "a")),
)


def _endpoints(app: str, namespace: str, count: int, ready: bool) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{app}-x", "namespace": namespace, "labels": {"kubernetes.io/service-name": app}},
        "addressType": "IPv4",
        "ports": [{"name": name, "port": port} for name, port in (("http", 8080), ("tcp", 9090), ("grpc", 9090))],
        "endpoints": [
            {
                "addresses": [f"10.0.{NAMESPACES.index(namespace)}.{number + 10 * APPS.index(app)}"],
                "conditions": {"ready": ready or number == 0},
                "zone": f"z{number % 2}",
                "nodeName": "node",
                "targetRef": {"kind": "Pod", "name": f"{app}-{number}", "namespace": namespace},
            }
            for number in range(1, count + 1)
        ],
    }


endpoint_slices = st.builds(_endpoints, apps, namespaces, st.integers(0, 3), st.booleans())


def _pod(app: str, namespace: str, number: int, version: str, mesh: bool) -> dict[str, Any]:
    labels = {"app": app, "version": version} | ({"security.istio.io/tlsMode": "istio"} if mesh else {})
    ip = f"10.0.{NAMESPACES.index(namespace)}.{number + 10 * APPS.index(app)}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{app}-{number}", "namespace": namespace, "labels": labels},
        "spec": {"serviceAccountName": app, "nodeName": "node", "containers": [{"name": "c", "image": "i"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
    }


pods = st.builds(_pod, apps, namespaces, st.integers(1, 3), st.sampled_from(("v1", "v2")), st.booleans())

destinations = _some({"subset": st.sampled_from(("v1", "v2"))}, host=hosts)
weighted = st.one_of(
    st.lists(_some({}, destination=destinations), min_size=1, max_size=1),
    st.tuples(
        _some({}, destination=destinations, weight=st.just(30)), _some({}, destination=destinations, weight=st.just(70))
    ).map(list),
)
http_routes = _some(
    {
        "match": st.lists(
            _some(
                {
                    "headers": st.just({"x": {"exact": "1"}}),
                    "sourceLabels": st.sampled_from(({"app": "web"}, {"version": "v2"})),
                    "port": st.sampled_from((80, 90)),
                },
                uri=st.sampled_from(({"prefix": "/p"}, {"exact": "/e"}, {"regex": "/r.*"})),
            ),
            min_size=1,
            max_size=2,
        ),
        "timeout": st.just("3s"),
        "retries": st.just({"attempts": 2}),
        "fault": st.just({"abort": {"httpStatus": 503, "percentage": {"value": 1}}}),
        "mirror": st.fixed_dictionaries({"host": hosts}),
    },
    route=weighted,
)
virtual_services = _object(
    "networking.istio.io/v1",
    "VirtualService",
    _some(
        {
            "exportTo": st.sampled_from((["."], ["*"], ["b"])),
            "gateways": st.sampled_from((["mesh"], ["one"], ["mesh", "istio-system/one"])),
        },
        hosts=st.lists(hosts, min_size=1, max_size=2, unique=True),
        http=st.lists(http_routes, min_size=1, max_size=2),
    ),
)
policies = _some(
    {
        "loadBalancer": st.sampled_from(
            ({"simple": "RANDOM"}, {"consistentHash": {"httpHeaderName": "x"}}, {"simple": "PASSTHROUGH"})
        ),
        "tls": st.sampled_from(({"mode": "DISABLE"}, {"mode": "ISTIO_MUTUAL"}, {"mode": "SIMPLE"})),
        "outlierDetection": st.just({"consecutive5xxErrors": 3}),
        "connectionPool": st.just({"tcp": {"maxConnections": 5}}),
    }
)
destination_rules = _object(
    "networking.istio.io/v1",
    "DestinationRule",
    _some(
        {
            "trafficPolicy": policies,
            "subsets": st.lists(st.sampled_from(("v1", "v2")), min_size=1, max_size=2, unique=True).map(
                lambda found: [{"name": v, "labels": {"version": v}} for v in found]
            ),
            "exportTo": st.sampled_from((["."], ["*"])),
            "workloadSelector": st.just({"matchLabels": {"app": "web"}}),
        },
        host=hosts,
    ),
)
service_entries = _object(
    "networking.istio.io/v1",
    "ServiceEntry",
    st.sampled_from(
        (
            {
                "hosts": ["api.example.com"],
                "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}],
                "resolution": "DNS",
            },
            {
                "hosts": ["api.example.com"],
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                "resolution": "STATIC",
                "endpoints": [{"address": "10.9.0.1"}, {"address": "10.9.0.2", "weight": 3}],
            },
            {
                "hosts": ["api.example.com"],
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                "resolution": "STATIC",
                "location": "MESH_INTERNAL",
                "workloadSelector": {"labels": {"app": "db"}},
            },
            {
                "hosts": ["*.wild.example.com"],
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                "resolution": "NONE",
            },
        )
    ),
)
sidecars = _object(
    "networking.istio.io/v1",
    "Sidecar",
    _some(
        {
            "workloadSelector": st.just({"labels": {"app": "web"}}),
            "outboundTrafficPolicy": st.sampled_from(({"mode": "REGISTRY_ONLY"}, {"mode": "ALLOW_ANY"})),
        },
        egress=st.sampled_from(
            (
                [{"hosts": ["./*"]}],
                [{"hosts": ["a/*", "*/api.example.com"]}],
                [{"hosts": ["*/web.b.svc.cluster.local"]}],
            )
        ),
    ),
)
gateways = _object(
    "networking.istio.io/v1",
    "Gateway",
    st.fixed_dictionaries(
        {
            "selector": st.just({"istio": "ingressgateway"}),
            "servers": st.sampled_from(
                (
                    [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
                    [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["a/*", "api.example.com"]}],
                    [
                        {
                            "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
                            "hosts": ["*.example.com"],
                            "tls": {"mode": "SIMPLE", "credentialName": "cert"},
                        }
                    ],
                    [
                        {
                            "port": {"number": 443, "name": "tls", "protocol": "TLS"},
                            "hosts": ["*.wild.example.com"],
                            "tls": {"mode": "PASSTHROUGH"},
                        }
                    ],
                )
            ),
        }
    ),
)
peer_authentications = _object(
    "security.istio.io/v1",
    "PeerAuthentication",
    _some(
        {"selector": st.just({"matchLabels": {"app": "web"}})},
        mtls=st.sampled_from(({"mode": "STRICT"}, {"mode": "PERMISSIVE"}, {"mode": "DISABLE"})),
    ),
)
authorization_policies = _object(
    "security.istio.io/v1",
    "AuthorizationPolicy",
    _some(
        {
            "selector": st.sampled_from(({"matchLabels": {"app": "web"}}, {"matchLabels": {"version": "v2"}})),
            "action": st.sampled_from(("ALLOW", "DENY")),
        },
        rules=st.lists(
            st.sampled_from(
                (
                    {},
                    {"from": [{"source": {"principals": ["cluster.local/ns/a/sa/web", "*"], "namespaces": ["b*"]}}]},
                    {"to": [{"operation": {"methods": ["GET"], "paths": ["/a/{*}", "/b*"], "ports": ["8080"]}}]},
                    {
                        "when": [
                            {"key": "request.headers[x]", "notValues": ["1"]},
                            {"key": "source.ip", "values": ["::1"]},
                        ]
                    },
                    {"from": [{"source": {"requestPrincipals": ["*"]}}]},
                )
            ),
            min_size=1,
            max_size=2,
        ),
    ),
)
workload_entries = _object(
    "networking.istio.io/v1",
    "WorkloadEntry",
    _some({"weight": st.just(2)}, address=st.just("10.8.0.1"), labels=st.just({"app": "db", "version": "v2"})),
)
envoy_filters = _object(
    "networking.istio.io/v1alpha3",
    "EnvoyFilter",
    _some(
        {"workloadSelector": st.just({"labels": {"app": "web"}})},
        configPatches=st.sampled_from(
            (
                [{"applyTo": "CLUSTER", "patch": {"operation": "MERGE", "value": {"connect_timeout": "7s"}}}],
                [
                    {
                        "applyTo": "VIRTUAL_HOST",
                        "match": {"context": "SIDECAR_OUTBOUND"},
                        "patch": {"operation": "MERGE", "value": {"request_headers_to_remove": ["x-secret"]}},
                    }
                ],
            )
        ),
    ),
)

objects = st.one_of(
    services,
    services,
    endpoint_slices,
    endpoint_slices,
    pods,
    virtual_services,
    virtual_services,
    destination_rules,
    destination_rules,
    service_entries,
    sidecars,
    gateways,
    peer_authentications,
    authorization_policies,
    workload_entries,
    envoy_filters,
)

mesh_configs = st.sampled_from(
    (
        "{}",
        "accessLogFile: /dev/stdout",
        "{accessLogFile: /dev/stdout, accessLogEncoding: JSON, disableEnvoyListenerLog: true}",
        "{accessLogFile: /dev/null, accessLogFormat: '%PROTOCOL%', defaultProviders: {metrics: []}}",
    )
)
"""What may change for all proxies at once."""

Identity = tuple[str, str, str]


def proxies() -> tuple[Proxy, ...]:
    """Sidecars of two namespaces, one of them without traffic capture, one with DNS capture, and a gateway."""
    unproxied, named = Traits(interception=Interception.NONE), Traits(dns_capture=True)
    return (
        Proxy("web-1.a", Role.SIDECAR, "a", (("app", "web"), ("version", "v1")), "web", ("10.0.0.1",)),
        Proxy("db-1.b", Role.SIDECAR, "b", (("app", "db"), ("version", "v2")), "db", ("10.0.1.11",), traits=named),
        Proxy("web-2.b", Role.SIDECAR, "b", (("app", "web"),), "web", ("10.0.1.2",), traits=unproxied),
        Proxy("gw-1.istio-system", Role.ROUTER, "istio-system", (("istio", "ingressgateway"),), "gw", ("10.0.2.9",)),
    )


def identity_of(item: dict[str, Any]) -> Identity:
    """Kind, namespace and name."""
    return item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]
