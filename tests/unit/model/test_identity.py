from __future__ import annotations

from lateen.model.identity import spiffe_id, with_aliases


def test_identities() -> None:
    assert spiffe_id("cluster.local", "ns", "sa") == "spiffe://cluster.local/ns/ns/sa/sa"
    assert spiffe_id("td", "ns", "") == "spiffe://td/ns/ns/sa/default"


def test_aliases_of_the_trust_domain() -> None:
    own = spiffe_id("new", "ns", "sa")
    assert with_aliases(own, "new", ("old", "new")) == (own, spiffe_id("old", "ns", "sa"))
    foreign = spiffe_id("foreign", "ns", "sa")
    assert with_aliases(foreign, "new", ("old",)) == (foreign,)
