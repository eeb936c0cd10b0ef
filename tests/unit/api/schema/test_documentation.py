from __future__ import annotations

from lateen.api.schema.documentation import Documentation
from lateen.api.security.authorization_policy import Action, Rule
from lateen.api.security.request_authentication import RequestAuthentication
from lateen.api.type.status import ServiceEntryStatus


def test_fields_are_documented_by_the_literals_under_them() -> None:
    texts = Documentation().of_members(Rule)
    assert texts == {
        "from_": "The sources; any if empty.",
        "to": "The operations; any if empty.",
        "when": "Further conditions.",
    }


def test_members_of_enums_too() -> None:
    assert Documentation().of_members(Action)["DENY"] == "It is refused, whatever ALLOW policies say."


def test_inherited_fields_are_documented_where_they_are_declared() -> None:
    texts = Documentation().of_members(ServiceEntryStatus)
    assert texts["conditions"] == "Its aspects."
    assert texts["addresses"] == "Addresses given automatically to hosts without any."


def test_paragraphs_are_on_one_line_each() -> None:
    text = Documentation().of_type(RequestAuthentication)
    first, second = text.split("\n\n")
    assert first == "Which tokens (JWT) requests may carry."
    assert "\n" not in second


def test_a_type_without_a_docstring_has_no_text() -> None:
    class Plain:
        pass

    assert Documentation().of_type(Plain) == ""
