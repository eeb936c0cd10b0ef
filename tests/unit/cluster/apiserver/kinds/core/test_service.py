from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, Obj, deep_copy, key_of
from lateen.cluster.status import StatusError


@dataclass
class _Services:
    """The stored services, and one write as the server does it."""

    kind: Kind
    ctx: Context
    stored: dict[Key, Obj] = field(default_factory=dict)

    def get(self, resource: tuple[str, str], key: Key) -> Obj | None:
        return self.stored.get(key)

    def list(self, resource: tuple[str, str], namespace: str = "") -> _Services:
        return self

    @property
    def items(self) -> list[Obj]:
        return [*self.stored.values()]

    async def write(self, obj: Obj, *, dry_run: bool = False, fail: bool = False) -> Obj:
        obj = deep_copy(obj)
        old = self.stored.get(key_of(obj))
        self.kind.default(obj)
        if old is None:
            self.kind.prepare_create(obj, self.ctx)
        else:
            self.kind.prepare_update(obj, old, self.ctx)
        undo = await self.kind.allocate(obj, old, cast(Store, self), dry_run)
        faults = self.kind.validate_update(obj, old, self.ctx) if old else self.kind.validate_create(obj, self.ctx)
        assert not faults
        if fail:
            assert undo is not None
            undo()
        elif not dry_run:
            self.stored[key_of(obj)] = obj
        return obj

    def delete(self, name: str) -> None:
        self.kind.released(self.stored.pop(Key("default", name)))


@pytest.fixture
def services(kind_of: Callable[[str, str], Kind], ctx: Context) -> _Services:
    return _Services(kind_of("v1", "Service"), ctx)


def _service(name: str, **spec: Any) -> Obj:
    spec = {"selector": {"app": "x"}, "ports": [{"port": 80}], **spec}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def test_a_plain_service_gets_one_ipv4_address(services: _Services) -> None:
    spec = (await services.write(_service("a")))["spec"]
    assert spec["clusterIP"].startswith("10.195.")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert spec["internalTrafficPolicy"] == "Cluster"


async def test_dual_stack(services: _Services) -> None:
    spec = (await services.write(_service("a", ipFamilyPolicy="PreferDualStack")))["spec"]
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]
    assert [":" in address for address in spec["clusterIPs"]] == [False, True]
    single = _service("a", **{**spec, "ipFamilyPolicy": "SingleStack"})
    assert len((await services.write(single))["spec"]["clusterIPs"]) == 1


async def test_headless(services: _Services) -> None:
    spec = (await services.write(_service("a", clusterIP="None")))["spec"]
    assert (spec["clusterIP"], spec["clusterIPs"], spec["ipFamilies"]) == ("None", ["None"], ["IPv4"])


async def test_an_address_is_held_once(services: _Services) -> None:
    await services.write(_service("a", clusterIP="10.195.0.77"))
    with pytest.raises(StatusError, match=r"failed to allocate IP 10.195.0.77: provided IP is already allocated"):
        await services.write(_service("b", clusterIP="10.195.0.77"))
    services.delete("a")
    await services.write(_service("b", clusterIP="10.195.0.77"))


async def test_an_address_out_of_range(services: _Services) -> None:
    with pytest.raises(StatusError, match=r"The range of valid IPs is 10.195.0.0/16"):
        await services.write(_service("a", clusterIP="10.1.0.77"))


async def test_dry_runs_and_failed_writes_take_nothing(services: _Services) -> None:
    wanted = _service("a", type="NodePort", clusterIP="10.195.0.9", ports=[{"port": 80, "nodePort": 30080}])
    await services.write(wanted, dry_run=True)
    await services.write(wanted, fail=True)
    await services.write({**wanted, "metadata": {"name": "b", "namespace": "default"}})


async def test_node_ports_come_and_go_with_the_type(services: _Services) -> None:
    made = await services.write(_service("a", type="NodePort"))
    port = made["spec"]["ports"][0]["nodePort"]
    assert 30000 <= port <= 32767
    assert made["spec"]["externalTrafficPolicy"] == "Cluster"
    changed = deep_copy(made)
    changed["spec"]["type"] = "ClusterIP"
    plain = (await services.write(changed))["spec"]
    assert "nodePort" not in plain["ports"][0]
    assert "externalTrafficPolicy" not in plain
    taker = await services.write(_service("b", type="NodePort", ports=[{"port": 1, "nodePort": port}]))
    assert taker["spec"]["ports"][0]["nodePort"] == port


async def test_an_update_that_leaves_them_out_keeps_what_was_allocated(services: _Services) -> None:
    made = await services.write(_service("a", type="NodePort"))
    again = await services.write(_service("a", type="NodePort"))
    assert again["spec"] == made["spec"]


async def test_node_port_conflicts(services: _Services) -> None:
    await services.write(_service("a", type="NodePort", ports=[{"port": 80, "nodePort": 30080}]))
    with pytest.raises(StatusError, match=r"spec.ports\[0\].nodePort: .*provided port is already allocated"):
        await services.write(_service("b", type="NodePort", ports=[{"port": 80, "nodePort": 30080}]))
    with pytest.raises(StatusError, match="The range of valid ports is 30000-32767"):
        await services.write(_service("b", type="NodePort", ports=[{"port": 80, "nodePort": 80}]))


async def test_load_balancer_with_local_policy_gets_a_health_check_port(services: _Services) -> None:
    made = await services.write(_service("a", type="LoadBalancer", externalTrafficPolicy="Local"))
    assert made["spec"]["healthCheckNodePort"] >= 30000
    assert made["spec"]["allocateLoadBalancerNodePorts"] is True


async def test_what_the_store_holds_is_taken_from_the_start(services: _Services) -> None:
    stored = _service("old", clusterIP="10.195.0.5", clusterIPs=["10.195.0.5"])
    services.stored[key_of(stored)] = stored
    with pytest.raises(StatusError, match="already allocated"):
        await services.write(_service("a", clusterIP="10.195.0.5"))


async def test_to_external_name_and_back(services: _Services) -> None:
    await services.write(_service("a"))
    named = await services.write(_service("a", type="ExternalName", externalName="example.com"))
    assert "clusterIP" not in named["spec"]
    assert (await services.write(_service("a")))["spec"]["clusterIP"]


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"ports": []}, "spec.ports", "Required value"),
        ({"ports": [{"port": 0, "targetPort": 1}]}, "spec.ports[0].port", "must be between 1 and 65535"),
        ({"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]}, "spec.ports[1]", "Duplicate value"),
        ({"ports": [{"port": 1}, {"port": 2, "name": "b"}]}, "spec.ports[0].name", "Required value"),
        ({"type": "Odd"}, "spec.type", "supported values"),
        ({"type": "ExternalName"}, "spec.externalName", "Required value"),
        ({"sessionAffinity": "Odd"}, "spec.sessionAffinity", 'supported values: "ClientIP", "None"'),
        (
            {"ports": [{"port": 1, "nodePort": 30000}]},
            "spec.ports[0].nodePort",
            "may not be used when `type` is 'ClusterIP'",
        ),
    ],
)
def test_refuses(services: _Services, spec: Obj, field: str, message: str) -> None:
    service = _service("a", **spec)
    services.kind.default(service)
    (fault,) = services.kind.validate_create(service, services.ctx)
    assert fault.field == field
    assert message in fault.message


async def test_the_address_is_immutable(services: _Services) -> None:
    old = await services.write(_service("a"))
    new = deep_copy(old)
    new["spec"]["clusterIP"] = "10.195.0.200"
    new["spec"]["clusterIPs"] = ["10.195.0.200"]
    faults = services.kind.validate_update(new, old, services.ctx)
    assert [(fault.field, "may not change once set" in fault.message) for fault in faults] == [
        ("spec.clusterIPs[0]", True)
    ]


def test_names_are_dns_1035_labels(services: _Services) -> None:
    assert not services.kind.validate_name("web")
    assert "a DNS-1035 label must consist of" in services.kind.validate_name("1web")[0]
