"""How files are laid over one another."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.install.merge import merged


@pytest.mark.parametrize(
    ("below", "above", "after"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    ],
)
def test_merges(below: Any, above: Any, after: Any) -> None:
    assert merged(below, above) == after


def test_gateways_are_told_apart_by_name_and_namespace() -> None:
    below = {"components": {"ingressGateways": [{"name": "one", "enabled": True, "k8s": {"replicaCount": 1}}]}}
    above = {
        "components": {
            "ingressGateways": [
                {"name": "one", "k8s": {"hpaSpec": {}}},
                {"name": "one", "namespace": "other"},
                {"name": "two"},
            ]
        }
    }
    assert merged(below, above)["components"]["ingressGateways"] == [
        {"name": "one", "enabled": True, "k8s": {"replicaCount": 1, "hpaSpec": {}}},
        {"name": "one", "namespace": "other"},
        {"name": "two"},
    ]


def test_variables_are_told_apart_by_name() -> None:
    below = {"components": {"pilot": {"k8s": {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}}}}
    above = {"components": {"pilot": {"k8s": {"env": [{"name": "A", "value": "3"}, {"name": "C", "value": "4"}]}}}}
    found = merged(below, above)["components"]["pilot"]["k8s"]["env"]
    assert [(each["name"], each["value"]) for each in found] == [("A", "3"), ("B", "2"), ("C", "4")]


def test_changes_neither() -> None:
    below: dict[str, Any] = {"a": {"b": [1]}}
    above: dict[str, Any] = {"a": {"c": [2]}}
    result = merged(below, above)
    result["a"]["b"].append(9)
    result["a"]["c"].append(9)
    assert below == {"a": {"b": [1]}}
    assert above == {"a": {"c": [2]}}


def test_a_gateway_without_a_name_is_the_one_of_profiles() -> None:
    below = {"components": {"ingressGateways": [{"name": "istio-ingressgateway", "enabled": True, "k8s": {"a": 1}}]}}
    above = {"components": {"ingressGateways": [{"k8s": {"b": 2}}, {"name": "other"}], "egressGateways": [{}]}}
    assert merged(below, above)["components"] == {
        "ingressGateways": [
            {"name": "istio-ingressgateway", "enabled": True, "k8s": {"a": 1, "b": 2}},
            {"name": "other"},
        ],
        "egressGateways": [{"name": "istio-egressgateway"}],
    }
