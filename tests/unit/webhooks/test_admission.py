from __future__ import annotations

import base64
import json

import pytest

from lateen.webhooks.admission import AdmissionRequest, BadReview, allowed, denied, read_review

REQUEST = AdmissionRequest("u1", "CREATE")


def review(**request: object) -> bytes:
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def test_what_is_asked() -> None:
    found = read_review(
        review(uid="u1", operation="UPDATE", namespace="shop", name="a", object={"x": 1}, dryRun=True, userInfo={})
    )
    assert found == AdmissionRequest("u1", "UPDATE", "shop", "a", {"x": 1}, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        review(uid="u1"),
        review(uid=1, operation="CREATE"),
        review(uid="u1", operation="CREATE").replace(b"k8s.io/v1", b"k8s.io/v2"),
        review(uid="u1" * 200, operation="CREATE"),
        review(uid="u1", operation="CREATE", namespace="n" * 254),
        b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": ' + b"[" * 100_000,
    ],
)
def test_what_is_no_review(body: bytes) -> None:
    with pytest.raises(BadReview):
        read_review(body)


def test_a_patch() -> None:
    patch = [{"op": "add", "path": "/a", "value": 1}]
    response = json.loads(allowed(REQUEST, patch=patch))["response"]
    assert (response["uid"], response["allowed"], response["patchType"]) == ("u1", True, "JSONPatch")
    assert json.loads(base64.b64decode(response["patch"])) == patch
    assert "patch" not in json.loads(allowed(REQUEST, patch=[]))["response"]


def test_a_refusal_has_located_causes_and_warnings_are_bounded() -> None:
    answer = denied(REQUEST, "no", causes=[("spec.a", "bad")], warnings=["w" * 1000, *map(str, range(40))])
    response = json.loads(answer)["response"]
    assert response["status"] == {
        "status": "Failure",
        "code": 422,
        "reason": "Invalid",
        "message": "no",
        "details": {"causes": [{"reason": "FieldValueInvalid", "field": "spec.a", "message": "bad"}]},
    }
    assert len(response["warnings"]) == 15
    assert max(map(len, response["warnings"])) == 256
    assert response["warnings"][-1] == "and 27 more"
