"""The status object of a resource, as Istio has it (`istio.meta.v1alpha1.IstioStatus`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lateen.api.schema.fault import Fault, Severity
from lateen.status.findings import Report
from lateen.status.messages import MESSAGE_NAMES, SCHEMA_ERROR, SCHEMA_WARNING

RECONCILED: Final = "Reconciled"
"""True: proxies are configured by the newest version, all of it."""
PASSED_VALIDATION: Final = "PassedValidation"
"""True: nothing in it is wrong; there may be warnings."""

_MOST_MESSAGES = 50
"""Of one resource: a status must stay far below what an API server stores."""
_MOST_WORDS = 5
"""Messages whose words are in the condition too."""
_LONGEST = 1024
"""Characters of one message."""


def status_of(report: Report, previous: Mapping[str, Any], now: str) -> dict[str, Any]:
    """The status that a resource should have.

    `previous` is the one it has: conditions of others in it stay, and so does the time of a condition whose status
    does. `now` is RFC 3339.
    """
    ours = (_reconciled(report), _passed_validation(report))
    held = [each for each in _list(previous.get("conditions")) if isinstance(each, Mapping)]
    before = {each.get("type"): each for each in held}
    conditions = [_dated(condition, before.get(condition["type"], {}), now) for condition in ours]
    conditions += [dict(each) for each in held if each.get("type") not in (RECONCILED, PASSED_VALIDATION)]
    messages = [_message(fault) for fault in report.faults[:_MOST_MESSAGES]]
    status: dict[str, Any] = {**previous, "conditions": conditions, "observedGeneration": report.generation}
    # A merge patch removes what is null.
    status["validationMessages"] = messages or None
    if not messages and "validationMessages" not in previous:
        del status["validationMessages"]
    return status


def _reconciled(report: Report) -> dict[str, str]:
    if report.rejected:
        rest = "the last good version stays in force" if report.in_force else "it has no effect"
        return _condition(RECONCILED, False, "Rejected", f"{_count(report.errors, 'error')}: {rest}")
    if report.errors:
        message = f"{_count(report.errors, 'error')}: what they concern is left out or stays as it was"
        return _condition(RECONCILED, False, "PartlyInEffect", message)
    if not report.enforced:
        return _condition(RECONCILED, False, "NotEnforced", "this version does nothing with the kind yet")
    return _condition(RECONCILED, True, "InEffect", "")


def _passed_validation(report: Report) -> dict[str, str]:
    counts = ", ".join(
        _count(number, noun) for number, noun in ((report.errors, "error"), (report.warnings, "warning")) if number
    )
    # Istio's definitions drop the words of messages: here they are kept.
    words = "; ".join(_words(fault) for fault in report.faults[:_MOST_WORDS])
    more = "; ..." if len(report.faults) > _MOST_WORDS else ""
    message = f"{counts}: {words}{more}"[:_LONGEST] if counts else ""
    reason = "Invalid" if report.errors else "ValidWithWarnings" if report.warnings else "Valid"
    return _condition(PASSED_VALIDATION, not report.errors, reason, message)


def _condition(type_: str, holds: bool, reason: str, message: str) -> dict[str, str]:
    return {"type": type_, "status": "True" if holds else "False", "reason": reason, "message": message}


def _dated(condition: dict[str, str], before: Mapping[str, Any], now: str) -> dict[str, str]:
    since = before.get("lastTransitionTime") if before.get("status") == condition["status"] else None
    return {**condition, "lastTransitionTime": since if isinstance(since, str) else now}


def _message(fault: Fault) -> dict[str, Any]:
    """An AnalysisMessageBase, and with it what was found where."""
    wrong = fault.severity is Severity.ERROR
    code = fault.code or (SCHEMA_ERROR if wrong else SCHEMA_WARNING)
    found: dict[str, Any] = {
        "type": {"name": MESSAGE_NAMES.get(code, "Finding"), "code": code},
        "level": "ERROR" if wrong else "WARNING",
        "documentationUrl": "",
        "message": fault.message[:_LONGEST],
    }
    return {**found, "path": fault.path} if fault.path else found


def _words(fault: Fault) -> str:
    return f"{fault.path}: {fault.message}" if fault.path else fault.message


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
