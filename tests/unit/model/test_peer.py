"""What endpoints' metadata leaves out can be told from what is in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lateen.model.peer import DERIVED, FACTS, FALLBACKS, METADATA_KEYS, endpoint_metadata, peer_facts

LABELS = st.dictionaries(
    st.sampled_from(
        [
            "app",
            "version",
            "app.kubernetes.io/name",
            "app.kubernetes.io/version",
            "service.istio.io/canonical-name",
            "service.istio.io/canonical-revision",
        ]
    ),
    st.sampled_from(["", "a", "b", "latest"]),
)


@given(st.sampled_from(["", "a", "w"]), LABELS)
def test_every_fact_can_be_told(workload: str, labels: dict[str, str]) -> None:
    facts = peer_facts(workload, "ns", "c1", labels)
    told = endpoint_metadata(facts)
    for fact in FACTS:
        names = [METADATA_KEYS[each] for each in (fact, *DERIVED.get(fact, ()))]
        found = next((told[name] for name in names if name in told), FALLBACKS.get(fact))
        assert found == facts.get(fact)


def test_the_usual_needs_little() -> None:
    facts = peer_facts("shop-v1", "default", "c1", {"app": "shop", "version": "v1"})
    assert endpoint_metadata(facts) == {"w": "shop-v1", "n": "default", "a": "shop", "v": "v1", "c": "c1"}
    assert (facts["service"], facts["revision"]) == ("shop", "v1")
