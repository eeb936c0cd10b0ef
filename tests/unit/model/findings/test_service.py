from __future__ import annotations

from lateen.api.objects import Key
from lateen.model.findings.service import service_findings
from lateen.testing.mesh import Mesh


def found(service: str, name: str = "s") -> list[str]:
    return [fault.path for fault in Mesh(service).get(service_findings, Key("default", name))]


def annotated(name: str, value: str, rest: str = "") -> str:
    return f"""
        kind: Service
        metadata: {{name: s, annotations: {{{name}: "{value}"}}}}
        spec: {{clusterIP: 10.0.0.1, ports: [{{port: 80}}]{rest}}}
    """


def test_annotations() -> None:
    export, distribution = "networking.istio.io/exportTo", "networking.istio.io/trafficDistribution"
    assert found(annotated(export, "., other")) == []
    assert found(annotated(export, "~")) == []
    assert found(annotated(export, "not a namespace")) == [f"metadata.annotations[{export}]"]
    assert found(annotated(distribution, "preferclose")) == []
    assert found(annotated(distribution, "Nearest")) == [f"metadata.annotations[{distribution}]"]
    both = annotated(distribution, "PreferClose", ", trafficDistribution: PreferSameNode")
    assert found(both) == [f"metadata.annotations[{distribution}]"]


def test_sessions_are_not_kept() -> None:
    sticky = """
        kind: Service
        metadata: {name: s, labels: {istio.io/persistent-session: cookie}}
        spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
    """
    assert found(sticky) == ["metadata.labels[istio.io/persistent-session]"]


def test_gateways_between_networks() -> None:
    gateway = """
        kind: Service
        metadata: {{name: s, labels: {{topology.istio.io/network: far}}}}
        spec: {{clusterIP: 10.0.0.1, ports: [{{port: 15443}}]}}
        status: {{loadBalancer: {{ingress: [{ingress}]}}}}
    """
    assert found(gateway.format(ingress="{ip: 192.0.2.1}")) == []
    assert found(gateway.format(ingress="{hostname: a.example.com}")) == ["status.loadBalancer"]
    assert found(gateway.format(ingress="")) == ["metadata.labels[topology.istio.io/network]"]


def test_external_names_in_a_circle() -> None:
    alias = "{{kind: Service, metadata: {{name: {name}}}, spec: {{type: ExternalName, externalName: {to}}}}}"
    assert found(alias.format(name="s", to="s.default.svc.cluster.local")) == ["spec.externalName"]
    assert found(alias.format(name="s", to="a.example.com")) == []


def test_nothing_is_found_of_what_is_not_there() -> None:
    assert found(annotated("a", "b"), "other") == []
