"""Laws of injection: twice is once, the patch makes the injected pod of the original, and merging is an algebra."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lateen.injection.decision import decide
from lateen.injection.inject import Refused
from lateen.injection.json_patch import json_patch
from lateen.injection.misshapen import misshapen_pod
from lateen.injection.strategic_merge import merged
from lateen.testing.injected_pods import configuration, injected, pod

_NAMES = st.sampled_from(["app", "sidecar", "istio-proxy", "worker"])
_PROBES = st.sampled_from(
    [
        {"httpGet": {"path": "/r", "port": 8080}},
        {"httpGet": {"path": "/r", "port": "web"}, "timeoutSeconds": 3},
        {"tcpSocket": {"port": 8080}},
        {"grpc": {"port": 9000}},
        {"exec": {"command": ["true"]}},
    ]
)


@st.composite
def _containers(draw: st.DrawFn, names: st.SearchStrategy[str]) -> list[dict[str, Any]]:
    found = []
    for name in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        container: dict[str, Any] = {"name": name, "image": "auto" if name == "istio-proxy" else "i"}
        for kind in ("readinessProbe", "livenessProbe"):
            if draw(st.booleans()):
                container[kind] = draw(_PROBES)
        if draw(st.booleans()):
            container["ports"] = [{"name": "web", "containerPort": 8080}]
        if draw(st.booleans()):
            container["env"] = [{"name": "A", "value": "1"}]
        if draw(st.booleans()):
            container["securityContext"] = {"runAsUser": draw(st.sampled_from([0, 1000, 1337, 2000]))}
        found.append(container)
    return found


_ANNOTATIONS = st.fixed_dictionaries(
    {},
    optional={
        "sidecar.istio.io/nativeSidecar": st.sampled_from(["true", "false"]),
        "sidecar.istio.io/interceptionMode": st.sampled_from(["REDIRECT", "TPROXY", "NONE"]),
        "inject.istio.io/templates": st.sampled_from(
            ["sidecar", "gateway", "grpc-agent", "grpc-simple", "sidecar,own", "own"]
        ),
        "prometheus.io/port": st.sampled_from(["9090", "15020"]),
        "prometheus.io/scrape": st.sampled_from(["true", "false"]),
        "traffic.sidecar.istio.io/excludeInboundPorts": st.sampled_from(["8080", "22"]),
        "sidecar.istio.io/rewriteAppHTTPProbers": st.sampled_from(["true", "false"]),
        "status.sidecar.istio.io/port": st.sampled_from(["0", "15022", "16000"]),
        "sidecar.istio.io/init-containers-before-proxy": st.sampled_from(["first", "first,second"]),
        "proxy.istio.io/config": st.sampled_from(["holdApplicationUntilProxyStarts: true", "concurrency: 1"]),
    },
)
_OWN = """
templates:
  own: |
    spec:
      containers:
      {{- range .Spec.Containers }}
      - {name: {{ .Name }}, env: [{name: T, value: x}]}
      {{- end }}
"""
_CONFIGURATIONS = [
    configuration(_OWN),
    configuration(
        _OWN,
        global_={"platform": "openshift", "imagePullSecrets": ["a"], "network": "n"},
        pilot={"cni": {"enabled": True, "provider": "multus"}},
    ),
]


@st.composite
def _pods(draw: st.DrawFn) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if draw(st.booleans()):
        spec["initContainers"] = draw(_containers(st.sampled_from(["first", "second", "third"])))
    if draw(st.booleans()):
        spec["volumes"] = [{"name": draw(st.sampled_from(["mine", "istio-envoy"])), "hostPath": {"path": "/x"}}]
    return pod(draw(_ANNOTATIONS), None, draw(_containers(_NAMES)), **spec)


def _applied(value: Any, patch: list[dict[str, Any]]) -> Any:
    """RFC 6902, written again: what the API server does."""
    value, patch = json.loads(json.dumps(value)), json.loads(json.dumps(patch))
    for operation in patch:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        target = value
        for part in parts[:-1]:
            target = target[int(part)] if isinstance(target, list) else target[part]
        last = parts[-1]
        if isinstance(target, list):
            place = int(last)
            assert 0 <= place <= len(target)
            if operation["op"] == "add":
                target.insert(place, operation["value"])
            elif operation["op"] == "remove":
                del target[place]
            else:
                target[place] = operation["value"]
        elif operation["op"] == "remove":
            del target[last]
        else:
            assert operation["op"] == "add" or last in target
            target[last] = operation["value"]
    return value


@settings(max_examples=300, deadline=None)
@given(_pods(), st.sampled_from(_CONFIGURATIONS))
def test_injecting_twice_is_injecting_once(given_pod: dict[str, Any], config: Any) -> None:
    once = injected(given_pod, config)
    assert json_patch(once, injected(once, config)) == []


@settings(max_examples=200, deadline=None)
@given(_pods(), st.sampled_from(_CONFIGURATIONS))
def test_the_patch_makes_the_injected_pod_of_the_original(given_pod: dict[str, Any], config: Any) -> None:
    after = injected(given_pod, config)
    assert _applied(given_pod, json_patch(given_pod, after)) == after


@settings(max_examples=200, deadline=None)
@given(_pods(), st.sampled_from(_CONFIGURATIONS))
def test_nothing_of_the_application_is_lost(given_pod: dict[str, Any], config: Any) -> None:
    after = injected(given_pod, config)
    spec = after["spec"]
    everywhere = {each["name"] for group in ("containers", "initContainers") for each in spec.get(group, ())}
    before = given_pod["spec"]
    assert {each["name"] for group in ("containers", "initContainers") for each in before.get(group, ())} <= everywhere
    assert len(everywhere) == sum(len(spec.get(group, ())) for group in ("containers", "initContainers"))
    applications = [each for each in before["containers"] if each["name"] != "istio-proxy"]
    for container in applications:
        found = next(each for each in spec["containers"] if each["name"] == container["name"])
        assert found["image"] == container["image"]
        assert {each["name"] for each in container.get("env", ())} <= {each["name"] for each in found.get("env", ())}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "c/~d"]), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from("ab"), _JSON), st.dictionaries(st.sampled_from("ab"), _JSON))
def test_a_patch_makes_any_value_of_any_other(before: Any, after: Any) -> None:
    result = _applied(before, json_patch(before, after))
    assert json_patch(result, after) == []
    assert result == after


_RICH = {
    "metadata": {
        "name": "w",
        "labels": {"app": "a"},
        "annotations": {"prometheus.io/port": "1", "proxy.istio.io/overrides": '{"containers": []}'},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "controller": True}],
    },
    "spec": {
        "nodeSelector": {"a": "b"},
        "os": {"name": "linux"},
        "dnsConfig": {"searches": ["s"]},
        "initContainers": [{"name": "i", "image": "i", "restartPolicy": "Always"}],
        "containers": [
            {
                "name": "app",
                "ports": [{"name": "web", "containerPort": 80}],
                "env": [{"name": "A", "value": "1"}],
                "readinessProbe": {"httpGet": {"path": "/", "port": "web", "httpHeaders": []}},
                "lifecycle": {"preStop": {"httpGet": {"path": "/", "port": 80}}},
                "securityContext": {"runAsUser": 1},
            },
            {"name": "istio-proxy", "image": "auto", "securityContext": {"runAsUser": 5}},
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "imagePullSecrets": [{"name": "s"}],
    },
}


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _paths(inner, (*path, key))
    return found


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(_paths(_RICH)), _JSON, st.sampled_from(_CONFIGURATIONS))
def test_what_is_no_pod_is_refused_and_breaks_nothing(path: tuple[Any, ...], value: Any, config: Any) -> None:
    broken = json.loads(json.dumps(_RICH))
    target = broken
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    before = json.dumps(broken)
    with suppress(Refused):
        injected(broken, config)
    # Injection may refuse for other reasons what has the shape of a pod.
    if not misshapen_pod(broken):
        decide(broken, "shop", config)
    assert json.dumps(broken) == before


_ITEMS = st.lists(st.sampled_from("abcd"), unique=True, max_size=4).flatmap(
    lambda names: st.tuples(*(st.sampled_from([{"name": name}, {"name": name, "image": "x"}]) for name in names))
)
_OVERLAYS = _ITEMS.map(lambda items: {"spec": {"containers": [dict(each) for each in items]}})


@given(_OVERLAYS, _OVERLAYS, _OVERLAYS)
def test_merging_is_idempotent_and_associative(
    a: Mapping[str, Any], b: Mapping[str, Any], c: Mapping[str, Any]
) -> None:
    assert merged(merged(a, b), b) == merged(a, b)
    assert merged(merged(a, b), c) == merged(a, merged(b, c))
    assert merged(a, {}) == a
