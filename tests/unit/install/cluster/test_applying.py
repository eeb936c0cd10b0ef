"""Server-side apply: what is sent, what is told of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from lateen.install.cluster.applying import Applied, Change, Terms, apply_all, apply_one, left_to_the_control_plane
from lateen.install.cluster.requests import InstallError

_CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": {"a": "b"}}
_DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.org"},
}


class _Answer(NamedTuple):
    status: int
    body: Any
    retry_after: float = 0.0

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


class _Api:
    """Takes what is applied; the statuses of `failures` come first."""

    def __init__(self, *failures: _Answer) -> None:
        self.objects: dict[str, Any] = {}
        self.sent: list[tuple[str, str, Mapping[str, str]]] = []
        self.failures = list(failures)

    async def send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> _Answer:
        self.sent.append((method, path, parameters or {}))
        if method == "GET":
            return _Answer(200, self.objects[path]) if path in self.objects else _Answer(404, {})
        assert content_type == "application/apply-patch+yaml"
        if self.failures:
            return self.failures.pop(0)
        found = {**body, "status": {"conditions": [{"type": "Established", "status": "True"}]}}
        if "dryRun" not in (parameters or {}):
            self.objects[path] = found
        return _Answer(201, found)


async def test_says_whether_something_changed() -> None:
    api = _Api()
    assert (await apply_one(api, _CONFIG_MAP, Terms())).change is Change.CREATED
    assert (await apply_one(api, _CONFIG_MAP, Terms())).change is Change.UNCHANGED
    other = {**_CONFIG_MAP, "data": {"a": "c"}}
    assert (await apply_one(api, other, Terms(dry_run=True))).change is Change.CONFIGURED
    assert api.objects["/api/v1/namespaces/n/configmaps/c"]["data"] == {"a": "b"}
    _, _, parameters = api.sent[1]
    assert parameters == {"fieldManager": "istio-operator", "fieldValidation": "Strict"}


async def test_says_what_is_taken_from_another_installation() -> None:
    api = _Api()

    def of(revision: str) -> dict[str, Any]:
        labels = {"install.operator.istio.io/owning-resource": f"installed-state{revision}"}
        return {**_CONFIG_MAP, "metadata": {"name": "c", "namespace": "n", "labels": labels}}

    taken = [(await apply_one(api, of(revision), Terms())).taken_from for revision in ("", "-blue", "-blue")]
    assert taken == ["", "installed-state", ""]


async def test_a_conflict_says_which_fields_and_whose() -> None:
    cause = {"reason": "FieldManagerConflict", "field": ".data.a", "message": 'conflict with "kubectl-edit"'}
    api = _Api(_Answer(409, {"details": {"causes": [cause]}}))
    with pytest.raises(InstallError, match="--force") as caught:
        await apply_one(api, _CONFIG_MAP, Terms())
    assert "ConfigMap n/c" in str(caught.value)
    assert ".data.a" in str(caught.value)
    assert "kubectl-edit" in str(caught.value)


async def test_a_busy_server_is_asked_again() -> None:
    api = _Api(_Answer(429, {"message": "later"}), _Answer(503, {"message": "starting"}))
    assert (await apply_one(api, _CONFIG_MAP, Terms())).change is Change.CREATED


async def test_missing_rights_are_said() -> None:
    api = _Api(_Answer(403, {"message": "configmaps is forbidden"}))
    with pytest.raises(InstallError, match="forbidden; installing takes the rights of a cluster administrator"):
        await apply_one(api, _CONFIG_MAP, Terms())


async def test_all_problems_of_a_step_are_told_together() -> None:
    api = _Api(_Answer(400, {"message": "one"}), _Answer(400, {"message": "two"}))
    other = {**_CONFIG_MAP, "metadata": {"name": "d", "namespace": "n"}}
    with pytest.raises(InstallError, match=r"(?s)one.*two"):
        await apply_all(api, [_CONFIG_MAP, other], Terms(), lambda each: None)


async def test_definitions_come_first() -> None:
    api, seen = _Api(), list[Applied]()
    await apply_all(api, [_CONFIG_MAP, _DEFINITION], Terms(), seen.append)
    assert [each.object["kind"] for each in seen] == ["CustomResourceDefinition", "ConfigMap"]


def _validating(policy: str | None) -> dict[str, Any]:
    webhook = {"name": "v", "clientConfig": {}} | ({"failurePolicy": policy} if policy else {})
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "w"},
        "webhooks": [webhook],
    }


@pytest.mark.parametrize(
    ("live", "sent"), [(None, "Ignore"), (_validating("Ignore"), "Ignore"), (_validating("Fail"), None)]
)
def test_validation_stays_closed_once_the_control_plane_has_closed_it(live: Any, sent: str | None) -> None:
    [webhook] = left_to_the_control_plane(_validating("Ignore"), live)["webhooks"]
    assert webhook.get("failurePolicy") == sent
