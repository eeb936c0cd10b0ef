"""`--set PATH=VALUE`: what is set, and of which type."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.api.schema.shape import shape_of
from lateen.install.paths import PathError
from lateen.install.set_flags import apply_set_flag, infer, parse_set_flag
from lateen.install.values.operator import Operator


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("12", 12),
        ("-3", -3),
        ("007", "007"),
        ("1.5", 1.5),
        ("1e5", "1e5"),
        ('"12"', "12"),
        ("'true'", "true"),
        ("500m", "500m"),
        ("", ""),
        ("{}", {}),
        ("[]", []),
    ],
)
def test_infers(text: str, value: Any) -> None:
    assert infer(text) == value
    assert type(infer(text)) is type(value)


@pytest.mark.parametrize(
    ("flag", "tree"),
    [
        ("tag=1.20", {"tag": "1.20"}),
        ("hub=10", {"hub": "10"}),
        ("spec.tag=1", {"tag": "1"}),
        ("values.pilot.env.LIMIT=100", {"values": {"pilot": {"env": {"LIMIT": "100"}}}}),
        ("values.pilot.replicaCount=2", {"values": {"pilot": {"replicaCount": 2}}}),
        ("values.global.imagePullSecrets[0]=12", {"values": {"global": {"imagePullSecrets": ["12"]}}}),
        ("meshConfig.enableTracing=true", {"meshConfig": {"enableTracing": True}}),
        ("meshConfig.accessLogFormat=a=b", {"meshConfig": {"accessLogFormat": "a=b"}}),
        ("components.base.k8s.overlays[0].patches[0].value=1.5", None),
    ],
)
def test_types_are_those_of_the_model(flag: str, tree: Any) -> None:
    found: dict[str, Any] = {}
    apply_set_flag(found, parse_set_flag(flag), shape_of(Operator))
    if tree is None:
        assert found["components"]["base"]["k8s"]["overlays"][0]["patches"][0]["value"] == 1.5
    else:
        assert found == tree


def test_an_equals_sign_in_brackets_is_none() -> None:
    flag = parse_set_flag("a.[:--x=1].b=2")
    assert (flag.location, flag.text) == ("a[:--x=1].b", "2")


def test_without_a_value() -> None:
    with pytest.raises(PathError, match="expected PATH=VALUE"):
        parse_set_flag("profile")
