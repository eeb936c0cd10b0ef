from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.admission.policy.plugin import ValidatingPolicies
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.status import StatusError

GROUP = "admissionregistration.k8s.io"
WIDGETS = [{"operations": ["*"], "apiGroups": ["acme.com"], "apiVersions": ["*"], "resources": ["widgets"]}]


@pytest.fixture
def plugin(store: Store, registry: Registry) -> ValidatingPolicies:
    return ValidatingPolicies(store, registry)


async def policy(store: Store, *validations: Any, binding: Any = None, **spec: Any) -> None:
    written = {"matchConstraints": {"resourceRules": WIDGETS}, "validations": list(validations), **spec}
    await store.create((GROUP, "validatingadmissionpolicies"), {"metadata": {"name": "p"}, "spec": written})
    bound = {"policyName": "p", "validationActions": ["Deny"], **(binding or {})}
    await store.create((GROUP, "validatingadmissionpolicybindings"), {"metadata": {"name": "b"}, "spec": bound})


@pytest.fixture
def widget(make: Any, kinds: Any) -> Any:
    def build(operation: str = "CREATE", **spec: Any) -> Any:
        obj = {"metadata": {"name": "w", "namespace": "ns"}, "spec": spec}
        if operation == "DELETE":
            return make(operation, kinds["widgets"], old=obj, name="w")
        return make(operation, kinds["widgets"], obj)

    return build


async def refusal(plugin: ValidatingPolicies, attributes: Any) -> StatusError:
    with pytest.raises(StatusError) as refused:
        await plugin.validate(attributes)
    return refused.value


async def test_denied(plugin: ValidatingPolicies, store: Store, widget: Any) -> None:
    await policy(store, {"expression": "object.spec.size <= 5"})
    await plugin.validate(widget(size=5))
    error = await refusal(plugin, widget(size=6))
    assert (error.code, error.reason) == (422, "Invalid")
    assert error.message == (
        "widgets.acme.com \"w\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "
        "failed expression: object.spec.size <= 5"
    )


async def test_messages_and_reasons(plugin: ValidatingPolicies, store: Store, widget: Any) -> None:
    validation = {
        "expression": "object.spec.size < variables.limit",
        "messageExpression": "'at most ' + string(variables.limit)",
        "reason": "Forbidden",
    }
    await policy(store, validation, variables=[{"name": "limit", "expression": "2 + 1"}])
    error = await refusal(plugin, widget(size=3))
    assert error.code == 403
    assert error.message.endswith("denied request: at most 3")


@pytest.mark.parametrize(("failure_policy", "refused"), [("Fail", True), ("Ignore", False)])
async def test_what_cannot_be_decided(
    plugin: ValidatingPolicies, store: Store, widget: Any, failure_policy: str, refused: bool
) -> None:
    await policy(store, {"expression": "object.spec.none == 1"}, failurePolicy=failure_policy)
    if refused:
        assert "resulted in error" in (await refusal(plugin, widget())).message
    else:
        await plugin.validate(widget())


async def test_warn_alone_lets_pass(plugin: ValidatingPolicies, store: Store, widget: Any) -> None:
    await policy(store, {"expression": "false", "message": "no"}, binding={"validationActions": ["Warn"]})
    attributes = widget()
    await plugin.validate(attributes)
    assert attributes.ctx.warnings == ["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': no"]


@pytest.mark.parametrize(
    ("binding", "asked"),
    [
        ({"matchResources": {"namespaceSelector": {"matchLabels": {"team": "red"}}}}, False),
        ({"matchResources": {"namespaceSelector": {"matchLabels": {"team": "blue"}}}}, True),
        ({"matchResources": {"excludeResourceRules": WIDGETS}}, False),
        ({"matchResources": {"resourceRules": [{**WIDGETS[0], "resourceNames": ["other"]}]}}, False),
        ({"policyName": "another"}, False),
    ],
)
async def test_bindings_narrow(
    plugin: ValidatingPolicies, store: Store, widget: Any, binding: Any, asked: bool
) -> None:
    await policy(store, {"expression": "false"}, binding=binding)
    if asked:
        await refusal(plugin, widget())
    else:
        await plugin.validate(widget())


async def test_params(plugin: ValidatingPolicies, store: Store, registry: Registry, widget: Any) -> None:
    param = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "limits", "namespace": "ns"}, "max": 2}
    reference = {"name": "limits", "parameterNotFoundAction": "Deny"}
    kind = {"apiVersion": "v1", "kind": "Pod"}
    validation = {"expression": "object.spec.size <= params.max"}
    await policy(store, validation, binding={"paramRef": reference}, paramKind=kind)
    assert "no params found" in (await refusal(plugin, widget(size=1))).message
    await store.create(("", "pods"), param)
    await plugin.validate(widget(size=2))
    await refusal(plugin, widget(size=3))


async def test_deletions_have_an_old_object_only(plugin: ValidatingPolicies, store: Store, widget: Any) -> None:
    await policy(store, {"expression": "object != null || oldObject.spec.size == 1"})
    await plugin.validate(widget("DELETE", size=1))
    await refusal(plugin, widget("DELETE", size=2))


async def test_conditions_choose(plugin: ValidatingPolicies, store: Store, widget: Any) -> None:
    conditions = [{"name": "c", "expression": "request.userInfo.username == 'joe'"}]
    await policy(store, {"expression": "false"}, matchConditions=conditions)
    await plugin.validate(widget())
