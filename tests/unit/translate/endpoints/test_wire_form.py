"""What is joined from bytes says the same as a message built field by field."""

from __future__ import annotations

from typing import Any

from envoy.config.endpoint.v3 import endpoint_pb2
from hypothesis import given
from hypothesis import strategies as st

from lateen.model.endpoint import Endpoint, Health, Locality
from lateen.translate.endpoints.groups import Group, Weighted
from lateen.translate.endpoints.wire_form import assignment, joined, member

ADDRESSES = st.one_of(
    st.ip_addresses().map(str), st.sampled_from(["a.example.com", "x" * 63 + ".example.com", f"{'y.' * 100}com"])
)
ENDPOINTS = st.builds(
    Endpoint,
    address=st.one_of(ADDRESSES, st.just("unix:///run/app.sock"), st.just("unix://@abstract")),
    port=st.integers(0, 65535),
    port_name=st.just("http"),
    labels=st.sampled_from([(), (("app", "shop"),), (("app", "shop"), ("version", "v1"))]),
    cluster_id=st.sampled_from(["", "c1"]),
    health=st.sampled_from(Health),
    mutual_tls=st.booleans(),
    workload=st.sampled_from(["", "shop-v1"]),
    namespace=st.sampled_from(["", "default"]),
    additional_addresses=st.sampled_from([(), ("2001:db8::1",)]),
)
GROUPS = st.lists(
    st.builds(
        lambda locality, priority, members: Group(locality, priority, sum(m.weight for m in members), tuple(members)),
        st.builds(Locality, st.sampled_from(["", "r"]), st.sampled_from(["", "z"]), st.sampled_from(["", "s"])),
        st.integers(0, 3),
        st.lists(st.builds(Weighted, ENDPOINTS, st.integers(1, 300)), max_size=4),
    ),
    max_size=3,
)

HEALTH = {Health.HEALTHY: 0, Health.UNHEALTHY: 2, Health.DRAINING: 3}


def put_address(message: Any, address: str, port: int) -> None:
    if address.startswith("unix://"):
        message.pipe.path = address.removeprefix("unix://")
    else:
        message.socket_address.address = address
        message.socket_address.port_value = port


def built(name: str, groups: list[Group]) -> Any:
    message = endpoint_pb2.ClusterLoadAssignment(cluster_name=name)
    for group in groups:
        listed = message.endpoints.add(priority=group.priority)
        listed.load_balancing_weight.value = group.weight
        if any(group.locality):
            listed.locality.region, listed.locality.zone, listed.locality.sub_zone = group.locality
        for each, weight in group.members:
            member = listed.lb_endpoints.add(health_status=HEALTH[each.health])
            put_address(member.endpoint.address, each.address, each.port)
            for other in each.additional_addresses:
                put_address(member.endpoint.additional_addresses.add().address, other, each.port)
            member.load_balancing_weight.value = weight
            labels = dict(each.labels)
            if each.workload or labels:
                canonical = labels.get("app") or each.workload
                revision = labels.get("version", "latest")
                text = f"{each.workload};{each.namespace};{canonical};{revision};{each.cluster_id}"
                # Canonical name and revision follow from these: nothing in these labels says otherwise.
                facts = {
                    "w": each.workload,
                    "n": each.namespace,
                    "a": labels.get("app"),
                    "v": labels.get("version"),
                    "c": each.cluster_id,
                }
                member.metadata.filter_metadata["peer"].update({key: fact for key, fact in facts.items() if fact})
            else:
                text = f";{each.namespace};;;{each.cluster_id}"
            member.metadata.filter_metadata["istio"]["workload"] = text
            if each.mutual_tls:
                member.metadata.filter_metadata["envoy.transport_socket_match"]["tlsMode"] = "istio"
    return message


@given(st.sampled_from(["outbound|80||a.com", "x" * 200]), GROUPS)
def test_the_bytes_are_those_of_the_message(name: str, groups: list[Group]) -> None:
    assert endpoint_pb2.ClusterLoadAssignment.FromString(assignment(name, groups)) == built(name, groups)


@given(GROUPS)
def test_what_is_serialised_once_for_many_is_what_each_would_have_for_itself(groups: list[Group]) -> None:
    alone = [group._replace(members=tuple(member(*each, {}) for each in group.members)) for group in groups]
    assert assignment("a", groups) == joined("a", alone)
