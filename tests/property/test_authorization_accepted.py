"""Whatever AuthorizationPolicy passes validation, Envoy takes: a listener that it refuses would leave the old one in
place, and with it a workload without the new policy."""

from __future__ import annotations

import contextlib
import string
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lateen.testing.envoy import accepts
from lateen.testing.mesh import Mesh, Rejected
from lateen.translate.resource import ResourceType

WORKLOAD = """
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: tcp, port: 90}]}
---
kind: Pod
metadata: {name: web, labels: {app: web}}
status: {podIP: 10.99.0.1, phase: Running}
"""
nasty = st.one_of(
    st.text(max_size=8),
    st.text(alphabet="*{}/.%\\()[]|+?^$\"'\n\r\0\x7f é:@=~", max_size=8),
    st.lists(st.sampled_from(("{*}", "{**}", "a", "", "*", "%2F", "a b", "..", "é", "?", "{", "a{*}")), max_size=5).map(
        lambda parts: "/" + "/".join(parts)
    ),
    st.sampled_from(("*", "**", "10.0.0.1", "::1/0", "fe80::1%lo", "::ffff:1.2.3.4/100", "0", "65535", "65536", "a/b")),
)
values = st.lists(nasty, min_size=1, max_size=3)
names = st.one_of(
    st.sampled_from(("x", ":path", ":authority", "X-Y", "a b", "a\n", "é", "a:b", "", "[", "]")),
    st.text(alphabet=string.printable, max_size=6),
)
PLAIN_KEYS = (
    *("source.ip", "remote.ip", "source.namespace", "source.principal", "source.serviceAccount", "destination.ip"),
    *("destination.port", "connection.sni", "request.auth.claims[a]", "request.auth.principal"),
)
keys = st.one_of(
    names.map(lambda name: f"request.headers[{name}]"),
    names.map(lambda name: f"experimental.envoy.filters.{name}[{name}]"),
    st.sampled_from(PLAIN_KEYS),
)
SOURCES = (
    "principals",
    "namespaces",
    "serviceAccounts",
    "trustDomains",
    "ipBlocks",
    "remoteIpBlocks",
    "requestPrincipals",
)
OPERATIONS = ("hosts", "methods", "paths", "ports")


def fields(*known: str) -> st.SearchStrategy[dict[str, list[str]]]:
    every = [*known, *(f"not{name[0].upper()}{name[1:]}" for name in known)]
    return st.dictionaries(st.sampled_from(every), values, min_size=1, max_size=1)


rules = st.one_of(
    fields(*SOURCES).map(lambda source: {"from": [{"source": source}]}),
    fields(*OPERATIONS).map(lambda operation: {"to": [{"operation": operation}]}),
    st.builds(
        lambda key, field, found: {"when": [{"key": key, field: found}]},
        keys,
        st.sampled_from(("values", "notValues")),
        values,
    ),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(found=st.lists(st.tuples(rules, st.sampled_from(("ALLOW", "DENY"))), min_size=60, max_size=60))
def test_envoy_takes_what_validation_lets_through(found: list[tuple[dict[str, Any], str]]) -> None:
    mesh = Mesh(WORKLOAD)
    for number, (rule, action) in enumerate(found):
        spec = {"action": action, "rules": [rule]}
        metadata = {"name": f"p{number}", "namespace": "default"}
        with contextlib.suppress(Rejected):
            mesh.apply({"kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec})
    made = mesh.resources(ResourceType.LDS, mesh.proxy("web.default", {"app": "web"}))
    accepts({ResourceType.LDS: [made["virtualInbound"]]})
