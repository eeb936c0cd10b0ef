from __future__ import annotations

from typing import Any

import pytest

from lateen.api.schema.fault import Fault, Severity, error, warning
from lateen.status.conditions import status_of
from lateen.status.findings import Report

NOW, EARLIER = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in status["conditions"]}


@pytest.mark.parametrize(
    ("report", "reconciled", "passed"),
    [
        (Report(3, False, True), ("True", "InEffect", ""), ("True", "Valid", "")),
        (
            Report(3, False, True, (warning("spec.http", "odd"),)),
            ("True", "InEffect", ""),
            ("True", "ValidWithWarnings", "1 warning: spec.http: odd"),
        ),
        (
            Report(3, False, True, (warning("spec", "not enforced yet"),), enforced=False),
            ("False", "NotEnforced", "this version does nothing with the kind yet"),
            ("True", "ValidWithWarnings", "1 warning: spec: not enforced yet"),
        ),
        (
            Report(3, False, True, (error("spec.http", "wrong"), error("spec.tls", "wrong"), warning("", "odd"))),
            ("False", "PartlyInEffect", "2 errors: what they concern is left out or stays as it was"),
            ("False", "Invalid", "2 errors, 1 warning: spec.http: wrong; spec.tls: wrong; odd"),
        ),
        (
            Report(3, True, True, (error("spec.hosts", "wrong"),)),
            ("False", "Rejected", "1 error: the last good version stays in force"),
            ("False", "Invalid", "1 error: spec.hosts: wrong"),
        ),
        (
            Report(3, True, False, (error("spec.hosts", "wrong"),)),
            ("False", "Rejected", "1 error: it has no effect"),
            ("False", "Invalid", "1 error: spec.hosts: wrong"),
        ),
    ],
)
def test_conditions_tell_what_became_of_it(
    report: Report, reconciled: tuple[str, str, str], passed: tuple[str, str, str]
) -> None:
    status = status_of(report, {}, NOW)
    assert conditions(status) == {"Reconciled": reconciled, "PassedValidation": passed}
    assert status["observedGeneration"] == 3
    assert {each["lastTransitionTime"] for each in status["conditions"]} == {NOW}


def test_messages_have_the_shape_of_istios_analysis() -> None:
    faults = (
        error("spec.hosts", "expected a list"),
        warning("spec.http[1]", "never used"),
        Fault("spec.http[2]", "duplicate", Severity.WARNING, "IST0131"),
        Fault("", "own", Severity.ERROR, "LAT0001"),
    )
    messages = status_of(Report(1, True, False, faults), {}, NOW)["validationMessages"]
    assert messages == [
        {
            "type": {"name": "SchemaValidationError", "code": "IST0106"},
            "level": "ERROR",
            "documentationUrl": "",
            "message": "expected a list",
            "path": "spec.hosts",
        },
        {
            "type": {"name": "SchemaWarning", "code": "IST0133"},
            "level": "WARNING",
            "documentationUrl": "",
            "message": "never used",
            "path": "spec.http[1]",
        },
        {
            "type": {"name": "VirtualServiceIneffectiveMatch", "code": "IST0131"},
            "level": "WARNING",
            "documentationUrl": "",
            "message": "duplicate",
            "path": "spec.http[2]",
        },
        {"type": {"name": "Finding", "code": "LAT0001"}, "level": "ERROR", "documentationUrl": "", "message": "own"},
    ]


def test_a_status_is_its_own_fixed_point() -> None:
    for report in (Report(1, False, True), Report(2, True, True, (error("a", "b"),))):
        once = status_of(report, {}, NOW)
        assert status_of(report, once, "later") == once


def test_a_condition_that_stays_keeps_its_time_and_one_that_turns_has_a_new_one() -> None:
    before = status_of(Report(1, False, True), {}, EARLIER)
    warned = status_of(Report(2, False, True, (warning("", "odd"),)), before, NOW)
    assert {each["lastTransitionTime"] for each in warned["conditions"]} == {EARLIER}
    rejected = status_of(Report(3, True, True, (error("", "wrong"),)), warned, NOW)
    assert {each["lastTransitionTime"] for each in rejected["conditions"]} == {NOW}


def test_what_others_wrote_stays() -> None:
    theirs = {"type": "Programmed", "status": "True", "lastTransitionTime": EARLIER}
    before = {"conditions": [theirs], "addresses": [{"value": "240.240.0.1"}]}
    status = status_of(Report(1, False, True), before, NOW)
    assert status["addresses"] == before["addresses"]
    assert status["conditions"][-1] == theirs


def test_messages_that_are_settled_are_removed() -> None:
    before = status_of(Report(1, False, True, (warning("", "odd"),)), {}, EARLIER)
    # Null is how a merge patch removes.
    assert status_of(Report(2, False, True), before, NOW)["validationMessages"] is None


def test_a_status_that_is_garbage_is_replaced() -> None:
    status = status_of(Report(1, False, True), {"conditions": "words", "validationMessages": 5}, NOW)
    assert set(conditions(status)) == {"Reconciled", "PassedValidation"}


def test_a_status_stays_small() -> None:
    faults = tuple(error(f"spec.http[{number}]", "x" * 10_000) for number in range(1000))
    messages = status_of(Report(1, True, True, faults), {}, NOW)["validationMessages"]
    assert len(messages) == 50
    assert all(len(each["message"]) == 1024 for each in messages)


def test_a_condition_has_the_words_of_the_first_few_faults() -> None:
    faults = tuple(error(f"spec.http[{number}]", "wrong " * 100) for number in range(100))
    (_, passed) = status_of(Report(1, False, True, faults), {}, NOW)["conditions"]
    assert passed["message"].startswith("100 errors: spec.http[0]: wrong")
    assert "spec.http[1]" in passed["message"]
    assert len(passed["message"]) == 1024
