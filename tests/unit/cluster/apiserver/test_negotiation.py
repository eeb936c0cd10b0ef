from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.apiserver.negotiation import WHOLE, Representation, negotiate, parse_accept, wants_yaml
from lateen.cluster.status import StatusError

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", WHOLE),
        ("*/*", WHOLE),
        ("application/json", WHOLE),
        ("application/yaml", WHOLE),
        ("application/vnd.kubernetes.protobuf, application/json", WHOLE),
        (f"{TABLE}, application/json", Representation("Table")),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", Representation("Table", "v1beta1")),
        ("application/json;as=Table;v=v9;g=meta.k8s.io, application/json", WHOLE),
        (f"application/json, {TABLE};q=0.5", WHOLE),
        (f"application/json;q=0.5, {TABLE}", Representation("Table")),
        (
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            Representation("PartialObjectMetadata"),
        ),
        ("APPLICATION/JSON", WHOLE),
    ],
)
def test_what_is_accepted(accept: str, expected: Representation) -> None:
    assert negotiate(accept) == expected


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/vnd.kubernetes.protobuf", "application/json;q=0", f"{TABLE};as=Chair", "image/png;q=x"],
)
def test_what_is_not(accept: str) -> None:
    with pytest.raises(StatusError) as refused:
        negotiate(accept)
    assert (refused.value.code, refused.value.reason) == (406, "NotAcceptable")


def test_what_rows_carry() -> None:
    assert negotiate(TABLE, "Object").include_object == "Object"
    with pytest.raises(StatusError) as refused:
        negotiate(TABLE, "Everything")
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("accept", "yaml"),
    [
        ("application/yaml", True),
        ("application/yaml, application/json", True),
        ("application/json, application/yaml", False),
        ("application/json;q=0.9, application/yaml", True),
        ("text/html, application/yaml", True),
        ("*/*", False),
        ("", False),
    ],
)
def test_yaml(accept: str, yaml: bool) -> None:
    assert wants_yaml(accept) is yaml


@given(st.text(max_size=80))
def test_any_header_is_read(header: str) -> None:
    assert all(media_type.name for media_type in parse_accept(header))
