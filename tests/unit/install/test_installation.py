"""From profile, files and flags to one checked description."""

from __future__ import annotations

import pytest

from lateen.api.schema.fault import Severity
from lateen.install.installation import Resolved, resolve
from lateen.install.operator_file import OperatorFile, OperatorFileError, read_operator_file
from lateen.install.profiles import PROFILES
from lateen.install.set_flags import parse_set_flag

_HEAD = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\n"


def _file(spec: str, name: str = "mesh.yaml") -> tuple[OperatorFile, ...]:
    return read_operator_file(name, (_HEAD + spec).encode())


def _resolve(spec: str = "", *flags: str) -> Resolved:
    return resolve(_file(spec) if spec else (), [parse_set_flag(flag) for flag in flags])


def _errors(found: Resolved) -> list[str]:
    return [f"{fault.path}: {fault.message}" for fault in found.errors]


def test_flags_go_over_files_and_files_over_the_profile() -> None:
    found = _resolve(
        "spec: {profile: demo, hub: one, values: {pilot: {autoscaleEnabled: true, autoscaleMax: 9}}}", "hub=two"
    )
    assert found.operator is not None
    assert found.operator.hub == "two"
    assert found.operator.values.pilot.autoscale_enabled
    assert found.operator.values.pilot.autoscale_max == 9
    assert found.operator.mesh_config["accessLogFile"] == "/dev/stdout"


def test_later_files_go_over_earlier_ones() -> None:
    first, second = _file("spec: {profile: demo, tag: a, hub: h}"), _file("spec: {profile: minimal, tag: b}")
    found = resolve((*first, *second))
    assert found.operator is not None
    assert (found.profile, found.operator.tag, found.operator.hub) == ("minimal", "b", "h")


def test_what_can_be_said_in_two_places_is_the_same_in_both() -> None:
    found = _resolve(
        "", "values.global.istioNamespace=mesh", "values.revision=blue", "values.global.hub=h/", "values.global.tag=1"
    )
    assert found.operator is not None
    assert found.operator.namespace == "mesh"
    assert found.operator.revision == found.operator.values.revision == "blue"
    assert (found.operator.hub, found.operator.tag) == ("h", "1")


def test_the_revision_default_is_that_without_a_name() -> None:
    found = _resolve("", "revision=default")
    assert found.operator is not None
    assert found.operator.revision == ""


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        ("values.global.proxy.imagee=x", "values.global.proxy.imagee: unknown field; did you mean image?"),
        ("meshConfg.enableTracing=true", "meshConfg: unknown field; did you mean meshConfig?"),
        ("components.pilott.enabled=true", "components.pilott: unknown field; did you mean pilot?"),
        ("values.pilot.replicaCount=many", 'values.pilot.replicaCount: expected an integer, got "many"'),
        ("profile=dmo", "profile: there is no profile 'dmo'; there are ambient, default, demo"),
        ("revision=Blue", "revision: expected lower-case letters"),
        ("installPackagePath=/x", "installPackagePath: charts are part of this program"),
        ("components.cni.enabled=true", "components.cni.enabled: the CNI plugin on nodes: not supported yet"),
        ("components.ztunnel.enabled=true", "components.ztunnel.enabled: the proxy on nodes"),
        ("meshConfig.outboundTrafficPolicy.mode=X", "meshConfig.outboundTrafficPolicy.mode: expected one of"),
        ("values.global.meshNetworks.n.endpoints=3", "values.global.meshNetworks"),
        ("components.ingressGateways[3].name=x", "components.ingressGateways[3].name: --set"),
        ("values.global.proxy.autoInject=maybe", "values.global.proxy.autoInject: expected one of"),
        ("values.revisionTags[0]=default", "values.revisionTags[0]: 'default' is a name of this revision already"),
        ("values.revisionTags[0]=Prod", "values.revisionTags[0]: expected a name"),
        ("values.sidecarInjectorWebhook.defaultTemplates=x", "values.sidecarInjectorWebhook.defaultTemplates"),
    ],
)
def test_errors_say_where_and_what(flag: str, why: str) -> None:
    found = _resolve("", flag)
    assert found.operator is None
    assert any(each.startswith(why) for each in _errors(found)), _errors(found)


def test_roots_under_another_name_are_somebody_elses_to_write() -> None:
    found = _resolve("", "values.global.trustBundleName=corporate-roots")
    assert found.operator is not None
    (fault,) = found.faults
    assert fault.path == "values.global.trustBundleName"
    assert "corporate-roots is somebody else's" in fault.message


@pytest.mark.parametrize(
    "flag",
    [
        "values.pilot.traceSampling=5",
        "values.telemetry.v2.stackdriver.enabled=true",
        "values.gateways.istio-ingressgateway.zvpn.enabled=true",
        "values.global.tracer.zipkin.address=x",
        "values.kiali.createDemoSecret=true",
        "meshConfig.noSuchField=1",
    ],
)
def test_what_has_no_effect_is_told_of_by_name(flag: str) -> None:
    found = _resolve("", flag)
    assert found.operator is not None, _errors(found)
    path = flag.partition("=")[0]
    named = [each for each in found.faults if each.severity is Severity.WARNING and path.startswith(each.path)]
    assert named, found.faults


@pytest.mark.parametrize("name", [name for name in PROFILES if name not in ("ambient", "remote", "openshift")])
def test_profiles_resolve(name: str) -> None:
    found = _resolve("", f"profile={name}")
    assert found.operator is not None, _errors(found)
    assert found.operator.profile == name or name == "default"


@pytest.mark.parametrize("name", ["ambient", "remote", "openshift"])
def test_profiles_that_need_what_is_not_there_say_so(name: str) -> None:
    found = _resolve("", f"profile={name}")
    assert found.operator is None
    assert all("not supported yet by this version" in each for each in _errors(found))


def test_a_file_may_override_a_profile_that_needs_what_is_not_there() -> None:
    found = _resolve("", "profile=openshift", "components.cni.enabled=false")
    assert found.operator is not None
    assert found.operator.values.global_.platform.value == "openshift"


def test_null_takes_back() -> None:
    found = _resolve("spec: {profile: demo, meshConfig: {accessLogFile: null}}")
    assert found.operator is not None
    assert "accessLogFile" not in found.operator.mesh_config


def test_numbers_are_taken_where_texts_are_wanted() -> None:
    found = _resolve(
        "spec: {values: {pilot: {env: {LIMIT: 5, SWITCH: true}}, global: {proxy: {excludeInboundPorts: 80}}}}"
    )
    assert found.operator is not None, _errors(found)
    assert found.operator.values.pilot.env == {"LIMIT": "5", "SWITCH": "true"}
    assert found.operator.values.global_.proxy.exclude_inbound_ports == "80"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"kind: Pod\napiVersion: v1\n", r"mesh.yaml:1: expected apiVersion install.istio.io/v1alpha1"),
        (b"[1]", "expected an IstioOperator, found list"),
        (b"a: [", "mesh.yaml:2: not YAML"),
        (b"\xff", "not UTF-8"),
        ((_HEAD + "spec: {a: 1, a: 2}").encode(), "key 'a' again"),
        ((_HEAD + "specs: {}").encode(), "unknown field specs"),
        ((_HEAD + "spec: []").encode(), None),
        ((_HEAD + "spec: 5").encode(), "spec: expected an object, found int"),
        (b"[" * 300, "nested too deeply"),
        (b"#" * 5_000_000, "more than 4194304 bytes"),
    ],
)
def test_files_that_are_no_description(content: bytes, why: str | None) -> None:
    if why is None:
        assert read_operator_file("mesh.yaml", content)[0].spec == {}
        return
    with pytest.raises(OperatorFileError, match=why):
        read_operator_file("mesh.yaml", content)


def test_aliases_are_bounded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    bomb = _HEAD + "spec:\n" + "\n".join(f"  {line}" for line in lines)
    with pytest.raises(OperatorFileError, match="too many values"):
        read_operator_file("mesh.yaml", bomb.encode())


def test_the_namespace_of_the_metadata_counts() -> None:
    found = _resolve("metadata: {namespace: mesh}\nspec: {profile: minimal}")
    assert found.operator is not None
    assert found.operator.namespace == "mesh"
