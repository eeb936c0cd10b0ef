"""What authors are told that gRPC applications do not do."""

from __future__ import annotations

from collections.abc import Iterable

from lateen.model.proxy import Generator
from lateen.testing.mesh import Mesh
from lateen.translate.grpc.shortcomings import shortcomings
from lateen.translate.resource import ResourceType

ECHO = """
kind: Service
metadata: {name: NAME, namespace: shop}
spec: {clusterIP: 10.0.0.5, selector: {app: echo}, ports: [{name: grpc, port: 7070}]}
"""


def told(mesh: Mesh, names: Iterable[str] = ("echo",)) -> dict[str, str]:
    """What is said while an application is served all that it may ask for of some services: by kind, name and path."""
    proxy = mesh.proxy("client.shop", {"app": "echo"}, generator=Generator.GRPC)
    recipes = [
        recipe
        for type_ in ResourceType
        for name, recipe in sorted(mesh.recipes(type_, proxy).items())
        if name.startswith("xds.istio.io/") or any(f"|{each}.shop." in name for each in names)
    ]
    found = mesh.get(shortcomings, tuple(recipes))
    return {f"{ref.kind} {ref.key.name} {fault.path}": fault.message for ref, fault in found}


def test_of_routes() -> None:
    mesh = Mesh(
        ECHO.replace("NAME", "echo"),
        """
kind: VirtualService
metadata: {name: routes, namespace: shop}
spec:
  hosts: [echo]
  http:
  - match: [{uri: {prefix: /a}}, {authority: {exact: a}}]
    route: [{destination: {host: echo}, headers: {request: {set: {a: b}}}}]
    retries: {attempts: 1, perTryTimeout: 1s, retryOn: 5xx}
    rewrite: {uri: /b}
    mirrors: [{destination: {host: echo}}]
  - match: [{uri: {prefix: /b}}]
    redirect: {uri: /c}
  - match: [{uri: {prefix: /d}}]
    delegate: {name: inner}
  - match: [{uri: {prefix: /e}}]
    route: [{destination: {host: echo}}]
    retries: {attempts: 1, retryOn: "5xx,unavailable"}
    timeout: 1s
    fault: {delay: {fixedDelay: 1s, percentage: {value: 1}}}
---
kind: VirtualService
metadata: {name: inner, namespace: shop}
spec: {http: [{headers: {response: {remove: [a]}}, route: [{destination: {host: echo}}]}]}
""",
    )
    found = told(mesh)
    assert found.keys() == {
        "VirtualService routes spec.http[0].match[1].authority",
        "VirtualService routes spec.http[0].route[0].headers",
        "VirtualService routes spec.http[0].retries.perTryTimeout",
        "VirtualService routes spec.http[0].retries.retryOn",
        "VirtualService routes spec.http[0].rewrite",
        "VirtualService routes spec.http[0].mirrors",
        "VirtualService routes spec.http[1].redirect",
        "VirtualService inner spec.http[0].headers",
    }
    assert found["VirtualService routes spec.http[0].rewrite"] == (
        "gRPC applications without a proxy send requests as they are"
    )


def test_of_routes_for_gateways_alone_nothing() -> None:
    mesh = Mesh(
        ECHO.replace("NAME", "echo"),
        """
kind: VirtualService
metadata: {name: routes, namespace: shop}
spec:
  hosts: [echo]
  gateways: [mesh, shop/edge]
  http: [{match: [{gateways: [shop/edge]}], redirect: {uri: /c}}, {route: [{destination: {host: echo}}]}]
""",
    )
    assert told(mesh) == {}


def test_of_policies_of_clusters() -> None:
    rule = """
kind: DestinationRule
metadata: {name: rule, namespace: shop}
spec:
  host: echo
  trafficPolicy:
    loadBalancer: {simple: RANDOM}
    outlierDetection: {consecutive5xxErrors: 1}
    connectionPool: {tcp: {maxConnections: 1}, http: {http2MaxRequests: 1}}
    proxyProtocol: {version: V1}
    portLevelSettings: [{port: {number: 7070}, tls: {mode: SIMPLE}}]
  subsets:
  - name: v1
    trafficPolicy:
      loadBalancer: {consistentHash: {httpQueryParameterName: a, maglev: {tableSize: 7}}}
      connectionPool: {http: {maxRetries: 1}}
"""
    policy, subset = "DestinationRule rule spec.trafficPolicy", "DestinationRule rule spec.subsets[0].trafficPolicy"
    assert told(Mesh(ECHO.replace("NAME", "echo"), rule)).keys() == {
        f"{policy}.loadBalancer.simple",
        f"{policy}.outlierDetection",
        f"{policy}.connectionPool.tcp",
        f"{policy}.proxyProtocol",
        f"{policy}.portLevelSettings[0].tls.mode",
        f"{subset}.loadBalancer.consistentHash",
        f"{subset}.loadBalancer.consistentHash.maglev",
        f"{subset}.connectionPool.http",
    }


def test_of_policies_of_servers() -> None:
    policies = """
kind: AuthorizationPolicy
metadata: {name: template, namespace: shop}
spec: {action: DENY, rules: [{}, {to: [{operation: {paths: [/a]}}, {operation: {notPaths: ["/{*}/a"]}}]}]}
---
kind: AuthorizationPolicy
metadata: {name: trial, namespace: shop, annotations: {istio.io/dry-run: "true"}}
spec: {action: DENY, rules: [{}]}
"""
    found = told(Mesh(ECHO.replace("NAME", "echo"), policies))
    assert found == {
        "AuthorizationPolicy template spec.rules[1].to[1].operation": (
            "gRPC applications without a proxy know no templates in paths: the rule denies whatever the rest matches"
        ),
        "AuthorizationPolicy trial metadata.annotations": (
            "gRPC applications without a proxy try no policies: this one does nothing there"
        ),
    }


def test_of_what_nobody_is_served_nothing() -> None:
    rule = """
kind: DestinationRule
metadata: {name: rule, namespace: shop}
spec: {host: echo, trafficPolicy: {tls: {mode: SIMPLE}}}
"""
    mesh = Mesh(ECHO.replace("NAME", "echo"), ECHO.replace("NAME", "other"), rule)
    assert told(mesh) != {}
    assert told(mesh, ["other"]) == {}
