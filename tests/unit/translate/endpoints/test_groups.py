"""Groups of endpoints: localities, shares and priorities."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lateen.model.endpoint import Endpoint, Locality
from lateen.translate.endpoints.groups import Group, Weighted, distance, grouped
from lateen.translate.endpoints.spread import Spread, locality_matches

LOCALITIES = st.builds(
    Locality, st.sampled_from(["", "r1", "r2", "r3"]), st.sampled_from(["", "z1", "z2"]), st.sampled_from(["", "s1"])
)
MEMBERS = st.lists(
    st.builds(
        lambda number, locality, weight, label: Weighted(
            Endpoint(f"10.0.0.{number}", 80, "http", labels=(("version", label),), locality=locality), weight
        ),
        st.integers(1, 200),
        LOCALITIES,
        st.integers(1, 5),
        st.sampled_from(["v1", "v2"]),
    ),
    max_size=12,
)
SPREADS = st.builds(
    Spread,
    shares=st.just(()),
    priorities=st.lists(
        st.tuples(
            st.sampled_from(["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "version"]),
            st.sampled_from(["r1", "z1", "v1"]),
        ),
        max_size=3,
    ).map(tuple),
    near=st.one_of(st.none(), LOCALITIES),
    failover_region=st.sampled_from(["", "r2"]),
)


def at(text: str, weight: int = 1, **rest: str) -> Weighted:
    region, zone, subzone = [*text.split("/"), "", ""][:3]
    endpoint = Endpoint("10.0.0.1", 80, "http", labels=tuple(rest.items()), locality=Locality(region, zone, subzone))
    return Weighted(endpoint, weight)


def summary(groups: tuple[Group, ...]) -> list[tuple[str, int, int]]:
    return [(str(group.locality), group.priority, group.weight) for group in groups]


@given(MEMBERS, SPREADS)
def test_every_endpoint_is_in_one_group_of_its_locality(members: list[Weighted], spread: Spread) -> None:
    groups = grouped(members, spread)
    placed = [member for group in groups for member in group.members]
    assert sorted(placed, key=repr) == sorted(members, key=repr)
    assert all(member.endpoint.locality == group.locality for group in groups for member in group.members)
    assert all(group.weight == sum(member.weight for member in group.members) for group in groups)
    assert len({(group.locality, group.priority) for group in groups}) == len(groups)


@given(MEMBERS, SPREADS)
def test_priorities_have_no_gaps(members: list[Weighted], spread: Spread) -> None:
    priorities = {group.priority for group in grouped(members, spread)}
    assert priorities == set(range(len(priorities)))


@given(MEMBERS, LOCALITIES, st.sampled_from(["", "r2"]))
def test_the_nearer_come_first(members: list[Weighted], client: Locality, failover: str) -> None:
    groups = grouped(members, Spread(near=client, failover_region=failover))
    ranked = [(distance(client, group.locality, failover), group.priority) for group in groups]
    assert all((a <= c) == (b <= d) for a, b in ranked for c, d in ranked)


@given(MEMBERS, st.integers(0, 4), st.integers(0, 4))
def test_more_agreement_is_never_a_lower_priority(members: list[Weighted], first: int, second: int) -> None:
    labels = (("topology.kubernetes.io/region", "r1"), ("topology.kubernetes.io/zone", "z1"), ("version", "v1"))
    priorities = {
        id(member): group.priority for group in grouped(members, Spread(priorities=labels)) for member in group.members
    }

    def agreement(member: Weighted) -> int:
        return next((i for i, (name, value) in enumerate(labels) if (member.endpoint.label(name) or "") != value), 3)

    if first < len(members) and second < len(members):
        one, other = members[first], members[second]
        if agreement(one) > agreement(other):
            assert priorities[id(one)] < priorities[id(other)]


def test_without_a_spread_localities_are_equal() -> None:
    assert summary(grouped([at("r2"), at("r1/z1", 3), at("r2", 2), at("")], None)) == [
        ("", 0, 1),
        ("r1/z1", 0, 3),
        ("r2", 0, 3),
    ]


def test_failover_by_locality() -> None:
    members = [at("r1/z1/s1"), at("r1/z1/s2"), at("r1/z2"), at("r2/z1"), at("r3")]
    near = Locality("r1", "z1", "s1")
    assert summary(grouped(members, Spread(near=near))) == [
        ("r1/z1/s1", 0, 1),
        ("r1/z1/s2", 1, 1),
        ("r1/z2", 2, 1),
        ("r2/z1", 3, 1),
        ("r3", 3, 1),
    ]
    assert [group.priority for group in grouped(members, Spread(near=near, failover_region="r3"))] == [0, 1, 2, 4, 3]


def test_failover_by_labels_splits_localities() -> None:
    members = [at("r1", version="v1"), at("r1", version="v2"), at("r2", version="v1"), at("r2", version="v2")]
    spread = Spread(priorities=(("version", "v1"), ("topology.kubernetes.io/region", "r1")))
    assert summary(grouped(members, spread)) == [("r1", 0, 1), ("r1", 2, 1), ("r2", 1, 1), ("r2", 2, 1)]


def test_labels_first_then_regions() -> None:
    members = [at("r1", version="v1"), at("r2", version="v1"), at("r3", version="v1"), at("r1", version="v2")]
    spread = Spread(priorities=(("version", "v1"),), near=Locality("r1"), failover_region="r3")
    assert summary(grouped(members, spread)) == [("r1", 0, 1), ("r1", 3, 1), ("r2", 2, 1), ("r3", 1, 1)]


def test_traffic_shared_out_by_locality() -> None:
    members = [at("r1/z1"), at("r1/z2", 3), at("r2/z1", 2), at("r3/z1")]
    assert summary(grouped(members, Spread(shares=(("r1/*", 80), ("r2/z1/*", 20))))) == [
        ("r1/z1", 0, 20),
        ("r1/z2", 0, 60),
        ("r2/z1", 0, 20),
    ]
    closest_first = Spread(shares=(("r1/*", 10), ("r1/z1/*", 90)))
    assert summary(grouped(members, closest_first)) == [("r1/z1", 0, 90), ("r1/z2", 0, 10)]
    assert summary(grouped(members, Spread(shares=(("*", 100), ("r1/*", 0))))) == [("r2/z1", 0, 67), ("r3/z1", 0, 34)]


def test_locality_patterns() -> None:
    here = Locality("r", "z", "s")
    for pattern in ("*", "r", "r/*", "r/z", "r/z/*", "r/z/s"):
        assert locality_matches(here, pattern)
    for pattern in ("r2", "r/z2", "r/z/s2", "r2/*"):
        assert not locality_matches(here, pattern)
