"""`x-kubernetes-validations`."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.schema.cel_rules import Rules, rule_faults, uses_old_self
from lateen.cluster.apiserver.schema.cel_values import escaped, in_order_of, to_cel
from lateen.cluster.apiserver.schema.json_schema import parse
from lateen.cluster.apiserver.schema.schema import MISSING


def found(props: dict[str, Any], obj: Any, old: Any = MISSING) -> list[tuple[str, str, str]]:
    return [(c.type, c.field, c.message) for c in Rules(parse(props)).evaluate(obj, old)]


def of(x: dict[str, Any], *rules: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": x}, "x-kubernetes-validations": list(rules)}


def test_the_default_message_is_the_rule() -> None:
    assert found(of({"type": "integer"}, {"rule": "self.x > 1"}), {"x": 1}) == [
        ("FieldValueInvalid", "<nil>", 'Invalid value: "object": failed rule: self.x > 1')
    ]


def test_messages_reasons_and_field_paths() -> None:
    props = of(
        {"type": "integer"},
        {"rule": "self.x > 1", "message": "too small", "reason": "FieldValueForbidden", "fieldPath": ".x"},
        {"rule": "self.x > 2", "messageExpression": "'%d is too small'.format([self.x])", "message": "unused"},
        {"rule": "self.x > 3", "messageExpression": "self.y", "message": "the expression fails"},
        {"rule": "self.x > 4", "reason": "FieldValueRequired", "message": "needed"},
    )
    assert found(props, {"x": 1}) == [
        ("FieldValueForbidden", "x", "Forbidden: too small"),
        ("FieldValueInvalid", "<nil>", 'Invalid value: "object": 1 is too small'),
        ("FieldValueInvalid", "<nil>", 'Invalid value: "object": the expression fails'),
        ("FieldValueRequired", "<nil>", "Required value: needed"),
    ]


def test_failures_to_evaluate() -> None:
    props = of({"type": "integer"}, {"rule": "self.y == 1"}, {"rule": "self.x.startsWith('a')"})
    messages = [message for _, _, message in found(props, {"x": 1})]
    assert messages[0] == 'Invalid value: "object": no such key: y evaluating rule: self.y == 1'
    assert messages[1].startswith("Invalid value: \"object\": 'no such overload': call arguments did not match")


def test_rules_inside_lists_and_maps() -> None:
    even = {"type": "integer", "x-kubernetes-validations": [{"rule": "self % 2 == 0", "message": "odd"}]}
    props = of({"type": "array", "items": even})
    props["additionalProperties"] = even
    assert [path for _, path, _ in found(props, {"x": [2, 3], "y": 5, "z": 4})] == ["x[1]", "[y]"]


def test_transition_rules_need_an_old_value() -> None:
    props = of({"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "immutable"}]})
    assert found(props, {"x": "a"}) == []
    assert found(props, {"x": "a"}, {}) == []
    assert found(props, {"x": "a"}, {"x": "a"}) == []
    assert found(props, {"x": "b"}, {"x": "a"}) == [("FieldValueInvalid", "x", 'Invalid value: "string": immutable')]


def test_an_optional_old_value_makes_a_rule_for_creation_too() -> None:
    rule = {"rule": "oldSelf.hasValue() || self == 'new'", "optionalOldSelf": True}
    props = of({"type": "string", "x-kubernetes-validations": [rule]})
    assert found(props, {"x": "new"}) == []
    assert len(found(props, {"x": "other"})) == 1
    assert found(props, {"x": "other"}, {"x": "a"}) == []


def test_unchanged_values_are_not_held_to_other_rules() -> None:
    props = of({"type": "integer", "x-kubernetes-validations": [{"rule": "self > 5"}]})
    assert found(props, {"x": 1}, {"x": 1}) == []
    assert len(found(props, {"x": 2}, {"x": 1})) == 1


def test_elements_of_list_maps_are_correlated_by_key() -> None:
    element = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "v": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v", "message": "shrunk"}],
    }
    listed = {
        "type": "array",
        "items": element,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    old = {"x": [{"name": "a", "v": 1}, {"name": "b", "v": 5}]}
    new = {"x": [{"name": "b", "v": 4}, {"name": "a", "v": 1}, {"name": "c", "v": 0}]}
    assert [path for _, path, _ in found(of(listed), new, old)] == ["x[0]"]


def test_the_order_of_sets_has_no_meaning() -> None:
    rule = {"rule": "self == oldSelf"}
    x = {
        "type": "array",
        "items": {"type": "string"},
        "x-kubernetes-list-type": "set",
        "x-kubernetes-validations": [rule],
    }
    assert found(of(x), {"x": ["a", "b"]}, {"x": ["b", "a"]}) == []
    assert len(found(of(x), {"x": ["a", "c"]}, {"x": ["b", "a"]})) == 1


def test_values_have_the_types_of_their_schema() -> None:
    props = {
        "type": "object",
        "properties": {
            "number": {"type": "number"},
            "when": {"type": "string", "format": "date-time"},
            "long": {"type": "string", "format": "duration"},
            "raw": {"type": "string", "format": "byte"},
            "namespace": {"type": "string"},
            "a-b": {"type": "string"},
            "x.y": {"type": "string"},
            "port": {"x-kubernetes-int-or-string": True},
            "any": {"x-kubernetes-preserve-unknown-fields": True},
        },
        "x-kubernetes-validations": [
            {"rule": "type(self.number) == double && self.number > 0"},
            {"rule": "self.when < timestamp('2027-01-01T00:00:00Z')"},
            {"rule": "!has(self.when) || has(self.long) && self.long == duration('90m')"},
            {"rule": "self.raw == b'hi'"},
            {"rule": "self.__namespace__ == 'n' && self.a__dash__b == 'ab' && self.x__dot__y == 'xy'"},
            {"rule": "self.port == 80 || self.port == 'http'"},
            {"rule": "self.any.x[0] == 1"},
        ],
    }
    obj = {
        "number": 1,
        "when": "2026-01-01T00:00:00Z",
        "long": "1h30m",
        "raw": "aGk=",
        "namespace": "n",
        "a-b": "ab",
        "x.y": "xy",
        "port": "http",
        "any": {"x": [1]},
    }
    assert found(props, obj) == []


def test_metadata_shows_its_name_alone() -> None:
    schema = parse({"type": "object", "properties": {"metadata": {"type": "object", "additionalProperties": True}}})
    obj = {"metadata": {"name": "a", "labels": {"x": "y"}}}
    assert to_cel(obj, schema, root=True) == {"metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("a", "a"),
        ("in", "__in__"),
        ("a-b/c.d", "a__dash__b__slash__c__dot__d"),
        ("a__b", "a__underscores__b"),
        ("é", None),
    ],
)
def test_escaping(name: str, identifier: str | None) -> None:
    assert escaped(name) == identifier


def test_elements_that_are_gone_come_last() -> None:
    schema = parse({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"})
    assert in_order_of(["z", "b", "a"], ["a", "b"], schema) == ["a", "b", "z"]


def test_old_self_in_a_string_is_only_text() -> None:
    assert uses_old_self("self == oldSelf")
    assert not uses_old_self("self != 'oldSelf' && has(self.oldSelfish)")


def test_faults_name_their_place() -> None:
    props = of(
        {"type": "integer", "x-kubernetes-validations": [{"rule": "self +"}]},
        {"rule": "1"},
        {"rule": "true", "messageExpression": "2"},
    )
    assert [(path, rule) for path, rule, _ in rule_faults(parse(props), "s")] == [
        ("s.x-kubernetes-validations[0].rule", "1"),
        ("s.x-kubernetes-validations[1].messageExpression", "true"),
        ("s.properties[x].x-kubernetes-validations[0].rule", "self +"),
    ]


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("self.x > 0 && self.spec.y > 0", "<input>:1:24: undefined field 'y'"),
        ("self.x > 0 &&\n has(self.z)", "<input>:2:10: undefined field 'z'"),
        ("self.spec.size() > 0 || self.names.exists(n, n.w)", ""),
        ("self.metadata.name != 'self.q' && self.free.anything == 1 && self.x == oldSelf.x", ""),
    ],
)
def test_fields_that_do_not_exist(rule: str, complaint: str) -> None:
    props = of({"type": "integer"}, {"rule": rule})
    props["properties"] |= {
        "spec": {"type": "object", "properties": {"x": {"type": "integer"}}},
        "names": {"type": "array", "items": {"type": "object", "properties": {"w": {"type": "boolean"}}}},
        "free": {"x-kubernetes-preserve-unknown-fields": True},
    }
    complaints = [said for _, _, said in rule_faults(parse(props), "s")]
    assert len(complaints) == bool(complaint)
    assert all(complaint in said for said in complaints)


def test_elements_without_identity_have_no_past() -> None:
    rules = [{"rule": "self == oldSelf"}]
    element = {"type": "object", "properties": {"name": {"type": "string", "x-kubernetes-validations": rules}}}
    listed = {"type": "array", "items": element}
    keyed = {**listed, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    assert [said for _, _, said in rule_faults(parse(of(listed)), "s")] == [
        "oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[x]"
    ]
    assert list(rule_faults(parse(of(keyed)), "s")) == []


def test_one_object_cannot_take_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lateen.cluster.apiserver.schema.cel_rules.SECONDS_PER_OBJECT", -1.0)
    props = of({"type": "integer"}, {"rule": "self.x > 0"}, {"rule": "self.x > 0"})
    assert [message for _, _, message in found(props, {"x": 1})] == [
        'Invalid value: "object": validation failed due to running out of cost budget, no further validation rules'
        " will be run"
    ]
