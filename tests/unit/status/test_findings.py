from __future__ import annotations

import pytest

from lateen.api.objects import Key, Object, ObjectRef
from lateen.api.parse import parse
from lateen.api.schema.fault import error, warning
from lateen.engine import Engine
from lateen.model.fault import ConfigError
from lateen.model.findings.not_enforced import not_enforced
from lateen.model.inputs import (
    AUTHORIZATION_POLICIES,
    REJECTED,
    REJECTED_GENERATIONS,
    SERVICES,
    VIRTUAL_SERVICES,
    WARNINGS,
)
from lateen.status import findings
from lateen.status.findings import REPORTED, Report, report, subjects
from lateen.status.reports import Reports
from lateen.status.troubles import Rejected, tell, troubles

A, B = Key("default", "a"), Key("default", "b")
ROUTES, POLICY, FILTER = (
    ObjectRef("VirtualService", A),
    ObjectRef("AuthorizationPolicy", A),
    ObjectRef("EnvoyFilter", A),
)


def virtual_service(key: Key, generation: int = 1) -> Object[object]:
    raw = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": key.name, "namespace": key.namespace, "generation": generation},
        "spec": {"hosts": [key.name], "http": [{"directResponse": {"status": 200}}]},
    }
    found = parse(raw).value
    assert isinstance(found, Object)
    return found


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_what_is_not_there_has_no_report(engine: Engine) -> None:
    assert engine.get(report, ROUTES) is None
    assert engine.get(report, ObjectRef("NoSuchKind", A)) is None


def test_everything_is_joined_errors_first(engine: Engine) -> None:
    with engine.change() as tx:
        tx.set(VIRTUAL_SERVICES, A, virtual_service(A, 4))
        tx.set(WARNINGS, ROUTES, (warning("spec.b", "w"),))
        tx.set(REPORTED, ROUTES, (error("", "refused"), warning("spec.b", "w")))
    found = engine.get(report, ROUTES)
    assert found is not None
    assert (found.generation, found.rejected, found.in_force) == (4, False, True)
    assert found.faults[:1] == (error("", "refused"),)
    assert found.faults.count(warning("spec.b", "w")) == 1


def test_a_rejected_version_is_the_one_that_is_reported_on(engine: Engine) -> None:
    with engine.change() as tx:
        tx.set(VIRTUAL_SERVICES, A, virtual_service(A, 4))
        tx.set(REJECTED, ROUTES, (error("spec", "e"),))
        tx.set(REJECTED_GENERATIONS, ROUTES, 5)
    found = engine.get(report, ROUTES)
    assert found is not None
    assert (found.generation, found.rejected, found.in_force, found.errors) == (5, True, True, 1)
    with engine.change() as tx:
        tx.delete(VIRTUAL_SERVICES, A)
    assert engine.get(report, ROUTES) == Report(5, True, False, (error("spec", "e"),))


def test_findings_of_a_kind_are_among_them(engine: Engine) -> None:
    raw = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {"action": "AUDIT"},
    }
    with engine.change() as tx:
        tx.set(AUTHORIZATION_POLICIES, A, parse(raw).value)
    found = engine.get(report, POLICY)
    assert found is not None
    assert ["AUDIT is not supported" in fault.message for fault in found.faults] == [True]


def test_subjects_are_all_of_the_meshs_kinds_and_of_others_those_with_faults(engine: Engine) -> None:
    service = parse({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "default"}}).value
    with engine.change() as tx:
        tx.set(VIRTUAL_SERVICES, A, virtual_service(A))
        tx.set(REJECTED, ObjectRef("VirtualService", B), (error("", "e"),))
        tx.set(SERVICES, A, service)
        tx.set(WARNINGS, ObjectRef("Service", B), (warning("", "w"),))
    assert engine.get(subjects, "VirtualService") == (ROUTES, ObjectRef("VirtualService", B))
    assert engine.get(subjects, "Service") == (ObjectRef("Service", B),)


# --- following ------------------------------------------------------------------------------------------------------


async def test_reports_tell_what_is_new_and_nothing_else(engine: Engine) -> None:
    told: list[ObjectRef] = []
    reports = Reports(engine, told.append)
    with engine.change() as tx:
        tx.set(VIRTUAL_SERVICES, A, virtual_service(A))
        tx.set(VIRTUAL_SERVICES, B, virtual_service(B))
    await reports.look()
    assert told == [ROUTES, ObjectRef("VirtualService", B)]
    told.clear()
    with engine.change() as tx:
        tx.set(REPORTED, ROUTES, (error("", "e"),))
    await reports.look()
    assert told == [ROUTES]
    assert reports.reports[ROUTES].errors == 1
    told.clear()
    await reports.look()
    assert told == []
    with engine.change() as tx:
        tx.delete(VIRTUAL_SERVICES, A)
        tx.delete(REPORTED, ROUTES)
    await reports.look()
    assert told == [ROUTES]
    assert ROUTES not in reports.reports
    told.clear()
    with engine.change() as tx:
        tx.set(VIRTUAL_SERVICES, A, virtual_service(A, 2))
    await reports.look()
    assert told == [ROUTES]


async def test_the_work_of_a_look_is_what_has_changed(engine: Engine) -> None:
    reports = Reports(engine)
    keys = [Key("default", f"k{number}") for number in range(50)]
    with engine.change() as tx:
        for key in keys:
            tx.set(VIRTUAL_SERVICES, key, virtual_service(key))
    await reports.look()
    before = engine.statistics().queries["findings.report"].computed
    with engine.change() as tx:
        tx.set(VIRTUAL_SERVICES, keys[7], virtual_service(keys[7], 2))
    await reports.look()
    assert engine.statistics().queries["findings.report"].computed == before + 1


# --- what comes out while proxies are served --------------------------------------------------------------------------


def rejected(*origins: tuple[str, Key]) -> Rejected:
    return Rejected("web.default", "RDS 80", "bad regex", [*origins, ("meshconfig", None), ("services", A)])


def test_a_rejection_with_one_resource_behind_it_is_its_error() -> None:
    (fault,) = troubles([rejected(("virtualservices", A))], [])[ROUTES]
    assert fault.severity.value == "error"
    assert fault.message == "web.default rejects RDS 80: bad regex"


def test_a_rejection_with_several_behind_it_warns_them_all() -> None:
    found = troubles([rejected(("virtualservices", A), ("virtualservices", B))], [])
    assert set(found) == {ROUTES, ObjectRef("VirtualService", B)}
    assert {fault.severity.value for faults in found.values() for fault in faults} == {"warning"}


def test_an_envoy_filter_is_suspected_before_what_it_patches() -> None:
    assert set(troubles([rejected(("virtualservices", A), ("envoyfilters", A))], [])) == {FILTER}


def test_a_rejection_that_nobody_is_to_blame_for() -> None:
    assert troubles([rejected()], []) == {}


def test_of_many_rejections_a_resource_is_told_a_few() -> None:
    many = [rejected(("virtualservices", A))._replace(proxy=f"web-{number}.default") for number in range(100)]
    found = troubles(many, [ConfigError(ROUTES, "spec", "own")])[ROUTES]
    assert len(found) == 21
    assert found[-1] == error("spec", "own")


def test_errors_of_queries_are_their_resources() -> None:
    found = troubles([], [ConfigError(ROUTES, "spec.http[0]", "a cycle"), RuntimeError("ours")])
    assert found == {ROUTES: (error("spec.http[0]", "a cycle"),)}


def test_only_what_differs_is_written(engine: Engine) -> None:
    first = troubles([], [ConfigError(ROUTES, "", "x")])
    assert tell(engine, {}, first)
    revision = engine.revision
    assert not tell(engine, first, dict(first))
    assert engine.revision == revision
    assert tell(engine, first, {})
    assert engine.get(report, ROUTES) is None


def test_every_kind_of_the_mesh_is_honoured_or_said_not_to_be() -> None:
    assert {kind for kind in findings.SUBJECTS if not not_enforced(kind)} <= findings._FINDINGS.keys()
