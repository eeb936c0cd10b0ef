from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lateen.cluster.apiserver.admission.webhook.review import InvalidResponseError, denial, read_response


def answer(version: str = "v1", **response: Any) -> dict[str, Any]:
    return {
        "kind": "AdmissionReview",
        "apiVersion": f"admission.k8s.io/{version}",
        "response": {"uid": "u", "allowed": True, **response},
    }


def patch(operations: Any) -> dict[str, str]:
    return {"patch": base64.b64encode(json.dumps(operations).encode()).decode(), "patchType": "JSONPatch"}


def test_a_plain_yes() -> None:
    verdict = read_response(answer(warnings=["careful"]), "v1", "u", mutating=True)
    assert verdict.allowed
    assert verdict.patch == []
    assert verdict.warnings == ("careful",)


def test_a_patch() -> None:
    operations = [{"op": "remove", "path": "/spec"}]
    assert read_response(answer(**patch(operations)), "v1", "u", mutating=True).patch == operations


@pytest.mark.parametrize(
    ("given", "mutating", "words"),
    [
        ([], True, "no JSON object"),
        ({}, True, "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview"),
        (answer("v1beta1"), True, "expected webhook response of admission.k8s.io/v1"),
        ({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}, True, "webhook response was absent"),
        (answer(uid="other"), True, 'expected response.uid="u", got "other"'),
        (answer(patch="W10="), True, "webhook returned response.patch but not response.patchType"),
        (answer(patchType="JSONPatch"), True, "webhook returned response.patchType but not response.patch"),
        (answer(patch="W10=", patchType="Merge"), True, 'invalid response.patchType of "Merge"'),
        (answer(patch="!", patchType="JSONPatch"), True, "cannot be read"),
        (answer(**patch({"not": "a list"})), True, "no list of operations"),
        (answer(**patch([])), False, "validating webhook may not return response.patch"),
    ],
)
def test_nonsense(given: Any, mutating: bool, words: str) -> None:
    with pytest.raises(InvalidResponseError) as error:
        read_response(given, "v1", "u", mutating)
    assert words in str(error.value)


def test_the_old_version_is_lenient() -> None:
    loose = {"response": {"allowed": True, "patch": "W10="}}
    assert read_response(loose, "v1beta1", "u", mutating=True).allowed


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ({}, 400, 'admission webhook "w" denied the request without explanation'),
        ({"message": "no", "code": 403, "reason": "Forbidden"}, 403, 'admission webhook "w" denied the request: no'),
        ({"reason": "Teapot"}, 400, 'admission webhook "w" denied the request: Teapot'),
        ({"message": "fine?", "code": 200}, 400, 'admission webhook "w" denied the request: fine?'),
    ],
)
def test_denials(status: dict[str, Any], code: int, message: str) -> None:
    error = denial("w", status)
    assert (error.code, error.message) == (code, message)


def test_a_denial_keeps_field_causes() -> None:
    causes = [{"reason": "FieldValueInvalid", "message": "bad", "field": "spec.x"}]
    assert denial("w", {"message": "no", "details": {"causes": causes}}).to_json()["details"]["causes"] == causes
