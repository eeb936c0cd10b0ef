from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import pytest

from lateen.api.objects import Key, ObjectRef
from lateen.api.parse import Parsed, parse
from lateen.api.schema.fault import error
from lateen.engine import Engine
from lateen.model.inputs import DESTINATION_RULES, REJECTED
from lateen.webhooks import validating
from lateen.webhooks.admission import AdmissionRequest
from lateen.webhooks.validating import Validation


def routes(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "reviews", "namespace": "shop"},
        "spec": {"hosts": ["reviews"], **spec},
    }


TO_SUBSET = [{"route": [{"destination": {"host": "reviews", "subset": "v1"}}]}]


def judged(
    validation: Validation, obj: Any, operation: str = "CREATE", namespace: str = "shop", large: bool = False
) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        asyncio.run(validation.judge(AdmissionRequest("u1", operation, namespace, "", obj), large=large))
    )
    return found["response"]


@pytest.fixture
def validation() -> Validation:
    return Validation(Engine())


def test_what_is_wrong_by_itself_is_refused_with_its_place(validation: Validation) -> None:
    response = judged(validation, routes(http=[{"timeout": "soon"}]))
    assert not response["allowed"]
    assert {cause["field"] for cause in response["status"]["details"]["causes"]} == {"spec.http[0].timeout"}
    assert "spec.http[0].timeout: " in response["status"]["message"]
    assert validation.outcomes == {"failed": 1}


def test_what_is_wrong_in_the_mesh_as_it_is_is_warned_about(validation: Validation) -> None:
    response = judged(validation, routes(http=TO_SUBSET))
    assert response["allowed"]
    assert any("IST0101" in warning for warning in response["warnings"])
    assert validation.outcomes == {"passed": 1}


def test_what_is_large_is_judged_by_itself_and_the_rest_left_to_its_status(validation: Validation) -> None:
    assert not judged(validation, routes(http=[{"timeout": "soon"}]), large=True)["allowed"]
    response = judged(validation, routes(http=TO_SUBSET), large=True)
    assert response["allowed"]
    assert [said for said in response["warnings"] if "its status" in said]
    assert not [said for said in response["warnings"] if "IST0101" in said]


async def test_no_resource_holds_up_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, begun = threading.Event(), threading.Event()

    def slow(obj: Any) -> Parsed:
        begun.set()
        assert gate.wait(120)
        return parse(obj)

    monkeypatch.setattr(validating, "parse", slow)
    answer = asyncio.create_task(Validation(Engine()).judge(AdmissionRequest("u1", "CREATE", "shop", "", routes())))
    async with asyncio.timeout(120):
        while not begun.is_set():
            await asyncio.sleep(0)
    gate.set()
    assert json.loads(await answer)["response"]["uid"] == "u1"


async def test_after_a_long_look_at_the_mesh_there_is_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    validation, pauses = Validation(Engine()), []
    look = validation._in_the_mesh

    def slow(parsed: Parsed) -> Any:
        time.sleep(0.02)
        return look(parsed)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    request = AdmissionRequest("u1", "CREATE", "shop", "", routes(http=TO_SUBSET))
    monkeypatch.setattr(validation, "_in_the_mesh", slow)
    monkeypatch.setattr(asyncio, "sleep", pause)
    assert json.loads(await validation.judge(request))["response"]["warnings"]
    assert len(pauses) == 1
    assert pauses[0] >= 0.02


def test_what_the_mesh_has_counts() -> None:
    engine = Engine()
    rule = parse(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": {"name": "reviews", "namespace": "shop"},
            "spec": {"host": "reviews", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]},
        }
    )
    with engine.change() as tx:
        tx.set(DESTINATION_RULES, rule.key, rule.value)
        # What is known of the version before says nothing about this one.
        tx.set(REJECTED, ObjectRef("VirtualService", Key("shop", "reviews")), (error("spec.old", "was bad"),))
    before = engine.revision
    response = judged(Validation(engine), routes(http=TO_SUBSET))
    assert response["allowed"]
    assert not any("subset" in warning or "spec.old" in warning for warning in response.get("warnings", ()))
    assert engine.revision == before


def test_a_construct_that_cannot_be_evaluated_is_refused_by_name(validation: Validation) -> None:
    policy = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"action": "CUSTOM", "provider": {"name": "x"}, "rules": [{}]},
    }
    response = judged(validation, policy)
    assert not response["allowed"]
    assert "CUSTOM" in response["status"]["message"]


def test_names_that_the_server_makes_and_namespaces_of_the_request(validation: Validation) -> None:
    made = routes(http=[{"directResponse": {"status": 200}}])
    made["metadata"] = {"generateName": "reviews-"}
    assert judged(validation, made)["allowed"]


@pytest.mark.parametrize(
    ("obj", "operation"),
    [
        (None, "DELETE"),
        (routes(http="bad"), "DELETE"),
        ("text", "CREATE"),
        ({"apiVersion": "example.com/v1", "kind": "Thing"}, "CREATE"),
    ],
)
def test_what_is_not_to_be_judged_passes(validation: Validation, obj: Any, operation: str) -> None:
    assert judged(validation, obj, operation)["allowed"]
    assert not validation.outcomes["failed"]
