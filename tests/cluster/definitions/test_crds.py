"""The definitions of the mesh's kinds in a real cluster: they install, and judge objects as our parser does."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lateen.api.crds import crds
from lateen.api.kinds import MESH_KINDS
from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

SPECS = yaml.safe_load("""
VirtualService:
  hosts: [reviews, "*.example.com"]
  gateways: [mesh, edge]
  http:
  - name: first
    match:
    - uri: {prefix: /a}
      headers: {x-user: {exact: me}}
      port: 80
      ignoreUriCase: true
    route:
    - destination: {host: reviews, subset: v1, port: {number: 9080}}
      weight: 90
    - destination: {host: reviews, subset: v2}
      weight: 10
    timeout: 5s
    retries: {attempts: 3, perTryTimeout: 2s}
    fault: {delay: {fixedDelay: 1s, percentage: {value: 0.5}}}
    corsPolicy: {allowOrigins: [{exact: "*"}], maxAge: 24h}
  tcp:
  - match: [{port: 27017}]
    route: [{destination: {host: mongo}}]
DestinationRule:
  host: reviews
  trafficPolicy:
    loadBalancer: {consistentHash: {httpCookie: {name: a, ttl: 0s}}}
    connectionPool: {tcp: {maxConnections: 5, connectTimeout: 1s}, http: {http2MaxRequests: 10}}
    outlierDetection: {consecutive5xxErrors: 5, interval: 10s}
    tls: {mode: SIMPLE, sni: a}
  subsets:
  - name: v1
    labels: {version: v1}
Gateway:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: ["shop/*.example.com"]
    tls: {mode: SIMPLE, credentialName: cert, minProtocolVersion: TLSV1_2}
ServiceEntry:
  hosts: [api.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 443, name: tls, protocol: TLS}]
  endpoints: [{address: 10.0.0.1, ports: {tls: 8443}, weight: 5, labels: {a: b}}]
Sidecar:
  workloadSelector: {labels: {app: a}}
  ingress:
  - port: {number: 9080, protocol: HTTP, name: http}
    defaultEndpoint: 127.0.0.1:8080
  egress:
  - hosts: ["./*", "istio-system/*"]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
WorkloadEntry:
  address: 10.0.0.1
  ports: {http: 80}
  labels: {app: a}
  serviceAccount: a
WorkloadGroup:
  metadata: {labels: {app: a}}
  template: {serviceAccount: a, ports: {http: 80}}
  probe: {httpGet: {path: /, port: 80, scheme: HTTP}, periodSeconds: 5}
ProxyConfig:
  concurrency: 2
  image: {imageType: distroless}
  environmentVariables: {A: b}
EnvoyFilter:
  configPatches:
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_INBOUND, listener: {portNumber: 80}}
    patch: {operation: INSERT_BEFORE, value: {name: lua}}
PeerAuthentication:
  selector: {matchLabels: {app: a}}
  mtls: {mode: STRICT}
  portLevelMtls: {"80": {mode: DISABLE}}
RequestAuthentication:
  jwtRules:
  - issuer: a
    jwksUri: https://example.com/keys
    fromHeaders: [{name: x, prefix: "Bearer "}]
    timeout: 5s
AuthorizationPolicy:
  targetRefs: [{kind: Service, name: a}]
  action: CUSTOM
  provider: {name: ext}
  rules:
  - from: [{source: {serviceAccounts: [a]}}]
    to: [{operation: {paths: [/a]}}]
    when: [{key: source.ip, values: [10.0.0.1]}]
Telemetry:
  tracing: [{randomSamplingPercentage: 10.5, customTags: {a: {literal: {value: b}}}, disableSpanReporting: false}]
  metrics: [{overrides: [{match: {metric: REQUEST_COUNT}, tagOverrides: {a: {operation: UPSERT, value: b}}}]}]
  accessLogging: [{filter: {expression: "true"}, match: {mode: SERVER}}]
WasmPlugin:
  url: oci://r/i:v1
  phase: AUTHN
  priority: 5
  pluginConfig: {a: {b: [1]}}
  match: [{ports: [{number: 80}, {number: 81}]}]
  vmConfig: {env: [{name: A, value: b}]}
TrafficExtension:
  selector: {matchLabels: {app: a}}
  phase: AUTHZ
  lua: {inlineCode: "function envoy_on_request(h) end"}
""")

# What the changes below do not come upon: rules, oneofs, bounds.
FURTHER = yaml.safe_load("""
VirtualService:
- {hosts: [a], http: [{match: [{uri: {prefix: /a, exact: /b}}]}]}
DestinationRule:
- {host: a, trafficPolicy: {loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}}}
- {host: a, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 0s}}}}
Gateway:
- servers: [{port: {number: 1, name: a, protocol: TLS}, hosts: [a], tls: {credentialName: a, credentialNames: [b]}}]
ServiceEntry:
- {hosts: ["*"], ports: [{number: 1, name: a}]}
- {hosts: [a], ports: [{number: 1, name: a}, {number: 1, name: b}]}
- {hosts: [a], ports: [{number: 0, name: a}]}
WorkloadEntry:
- {address: "unix:///a", ports: {a: 1}}
- {address: "unix://a"}
- {address: a, ports: {a: 65536}}
PeerAuthentication:
- {portLevelMtls: {"80": {mode: STRICT}}}
- {selector: {matchLabels: {a: b}}, portLevelMtls: {"0": {mode: STRICT}}}
- {selector: {matchLabels: {"a*": b}}}
RequestAuthentication:
- {jwtRules: [{issuer: a, jwks: a, jwksUri: "http://a"}]}
- {jwtRules: [{issuer: a, timeout: 1us}]}
- {targetRef: {kind: Service, name: a}, selector: {matchLabels: {a: b}}}
AuthorizationPolicy:
- {rules: [{from: [{source: {serviceAccounts: [a], namespaces: [b]}}]}]}
- {targetRefs: [{kind: Service, name: a, namespace: b}]}
Telemetry:
- {metrics: [{overrides: [{tagOverrides: {a: {operation: REMOVE, value: b}}}]}]}
- {tracing: [{customTags: {a: {literal: {value: b}, header: {name: c}}}}]}
- {tracing: [{randomSamplingPercentage: 100.5}]}
WasmPlugin:
- {url: "s3://a"}
- {url: a, match: [{ports: [{number: 80}, {number: 80}]}]}
- {url: a, vmConfig: {env: [{name: A, valueFrom: HOST, value: b}]}}
- {url: a, sha256: xyz}
- {url: a, priority: 2147483648}
TrafficExtension:
- {}
- {wasm: {url: a}, lua: {inlineCode: b}}
""")


@pytest.fixture(scope="module")
def mesh(cluster: LocalCluster) -> LocalCluster:
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": crds()}))
    for kind in MESH_KINDS:
        cluster.kubectl("wait", "--for=condition=Established", "crd", f"{kind.plural}.{kind.group}", "--timeout=30s")
    return cluster


def changes(value: Any) -> Iterator[Any]:
    """Each of the values that differ in one place: another type there, or nothing."""
    yield {} if not isinstance(value, dict) else "text"
    if isinstance(value, dict):
        for key in value:
            yield {name: item for name, item in value.items() if name != key}
            for changed in changes(value[key]):
                yield {**value, key: changed}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for changed in changes(item):
                yield [*value[:index], changed, *value[index + 1 :]]
    elif isinstance(value, str):
        yield ""
        yield 99
    elif isinstance(value, (int, float)):
        yield str(value)
        yield -1


@pytest.mark.parametrize("kind", MESH_KINDS, ids=lambda kind: kind.kind)
def test_the_api_server_and_our_parser_judge_alike(mesh: LocalCluster, namespace: str, kind: Any) -> None:
    good = SPECS[kind.kind]
    specs = [good, *FURTHER.get(kind.kind, []), *changes(good)]
    items = [
        {
            "apiVersion": kind.api_versions[number % len(kind.api_versions)],
            "kind": kind.kind,
            "metadata": {"name": f"x{number}", "namespace": namespace},
            "spec": copy.deepcopy(spec),
        }
        for number, spec in enumerate(specs)
    ]
    answer = mesh.try_kubectl(
        "create",
        "--dry-run=server",
        "--validate=false",
        "-f",
        "-",
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}),
        timeout=150,
    )
    taken = {int(number) for number in re.findall(r"/x(\d+) created", answer.stdout)}
    refused = {int(number) for number in re.findall(r'"x(\d+)" is invalid', answer.stderr)}
    assert taken | refused == set(range(len(specs))), answer.stderr[:2000]
    ours = {number for number, spec in enumerate(specs) if kind.spec_decoder.decode(spec)[0] is not None}
    assert 0 in ours
    # Spellings of proto-JSON that the API server has no part in.
    lenient = {number for number in ours - taken if _is_lenient(specs[number], good)}
    assert ours - taken - lenient == set(), [specs[number] for number in ours - taken - lenient]
    assert taken - ours == set(), [specs[number] for number in taken - ours]
    assert refused


def _is_lenient(spec: Any, good: Any) -> bool:
    """Whether a number was made a string, which is the one change here that proto-JSON takes."""
    return json.dumps(good).replace('"', "") == json.dumps(spec).replace('"', "")


def test_people_see_what_they_look_for(mesh: LocalCluster, namespace: str) -> None:
    obj = {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "VirtualService",
        "metadata": {"name": "reviews", "namespace": namespace},
        "spec": SPECS["VirtualService"],
    }
    mesh.apply(json.dumps(obj))
    table = mesh.kubectl("get", "vs", "-n", namespace)
    assert table.splitlines()[0].split() == ["NAME", "GATEWAYS", "HOSTS", "AGE"]
    assert "reviews" in mesh.kubectl("get", "istio-io", "-n", namespace, "-o", "name")
    assert mesh.get("virtualservices.v1alpha3.networking.istio.io", "reviews", "-n", namespace)["spec"] == obj["spec"]
    explained = mesh.kubectl("explain", "virtualservice.spec.http.timeout", "--api-version=networking.istio.io/v1")
    assert "<string>" in explained
