from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.node.environment import ConfigError, Sources, container_environment, expand, service_environment
from lateen.cluster.objects import Obj

POD: Obj = {
    "metadata": {"name": "p", "namespace": "ns", "labels": {"a": "b"}},
    "spec": {"nodeName": "n", "containers": []},
    "status": {"podIP": "10.0.0.1"},
}


def sources(config_maps: dict[str, Obj] | None = None, secrets: dict[str, Obj] | None = None) -> Sources:
    return Sources(
        lambda _ns, name: (config_maps or {}).get(name), lambda _ns, name: (secrets or {}).get(name), {"cpu": "2"}
    )


def test_references_expand_dollars_escape_and_the_unknown_stays() -> None:
    env = {"A": "1", "B": "2"}
    assert expand("$(A)-$(B)-$(C)-$$(A)-$A", env) == "1-2-$(C)-$(A)-$A"


@given(st.text(alphabet="ab()$ "))
def test_text_without_dollar_is_never_changed(text: str) -> None:
    assert expand(text.replace("$", ""), {"a": "x"}) == text.replace("$", "")


def test_values_come_in_order_and_see_what_is_before() -> None:
    container = {
        "name": "c",
        "resources": {"limits": {"memory": "1Gi"}},
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "m"}}],
        "env": [
            {"name": "ONE", "value": "1"},
            {"name": "TWO", "value": "$(ONE)$(P_k)$(THREE)"},
            {"name": "THREE", "value": "3"},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
            {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "NO", "valueFrom": {"secretKeyRef": {"name": "s", "key": "none", "optional": True}}},
        ],
    }
    secret = {"data": {"k": base64.b64encode(b"secret").decode()}}
    env = container_environment(POD, container, {}, sources({"m": {"data": {"k": "v"}}}, {"s": secret}))
    assert env == {
        "P_k": "v",
        "ONE": "1",
        "TWO": "1v$(THREE)",
        "THREE": "3",
        "IP": "10.0.0.1",
        "LABEL": "b",
        "MEM": "1024",
        "CPU": "2",
        "S": "secret",
    }


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "x", "key": "k"}}, 'configmap "x" not found'),
        ({"secretKeyRef": {"name": "x", "key": "k"}}, 'secret "x" not found'),
        ({"configMapKeyRef": {"name": "m", "key": "z"}}, "couldn't find key z in ConfigMap ns/m"),
        ({"fieldRef": {"fieldPath": "spec.nonsense"}}, "unsupported fieldPath: spec.nonsense"),
    ],
)
def test_what_is_missing_is_named(source: Obj, message: str) -> None:
    container = {"name": "c", "env": [{"name": "A", "valueFrom": source}]}
    with pytest.raises(ConfigError) as error:
        container_environment(POD, container, {}, sources({"m": {"data": {}}}))
    assert str(error.value) == message


def service(name: str, namespace: str, address: str, *ports: Obj) -> Obj:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": address, "ports": list(ports)}}


def test_service_variables() -> None:
    services = [
        service("my-db", "ns", "10.1.1.1", {"port": 5432, "name": "pg"}, {"port": 53, "protocol": "UDP"}),
        service("other", "elsewhere", "10.1.1.2", {"port": 1}),
        service("headless", "ns", "None", {"port": 1}),
        service("kubernetes", "default", "10.1.0.1", {"port": 443, "name": "https"}),
    ]
    env = service_environment(services, "ns", links=True)
    assert env["MY_DB_SERVICE_HOST"] == "10.1.1.1"
    assert env["MY_DB_SERVICE_PORT"] == env["MY_DB_SERVICE_PORT_PG"] == "5432"
    assert env["MY_DB_PORT"] == env["MY_DB_PORT_5432_TCP"] == "tcp://10.1.1.1:5432"
    assert env["MY_DB_PORT_53_UDP_PROTO"] == "udp"
    assert env["KUBERNETES_SERVICE_HOST"] == "10.1.0.1"
    assert not any(name.startswith(("OTHER", "HEADLESS")) for name in env)
    assert not any(name.startswith("MY_DB") for name in service_environment(services, "ns", links=False))
