from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.apiserver.names import dns_label
from lateen.cluster.apiserver.rest.name_generator import generate_name


@given(st.from_regex(r"[a-z]([-a-z0-9]{0,80}[a-z0-9])?-?", fullmatch=True))
def test_a_label_that_begins_with_the_prefix(prefix: str) -> None:
    name = generate_name(prefix)
    assert dns_label(name) == []
    assert name[:-5] == prefix[:58]
    assert re.fullmatch(r"[bcdfghjklmnpqrstvwxz2456789]{5}", name[-5:])


def test_names_differ() -> None:
    assert len({generate_name("p-") for _ in range(100)}) > 90
