"""What holds of everything that is rendered, whatever is described."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from lateen.api.mesh.parse import parse_mesh_config, parse_mesh_networks
from lateen.api.schema.fault import Severity
from lateen.cli.pilot_discovery import discovery
from lateen.injection.configuration import parse_injection
from lateen.install.cluster.places import STEPS, path_of, place_of
from lateen.install.names import COMPONENT, COMPONENTS, OWNER, REVISION
from lateen.install.rendering.objects import render
from lateen.testing.installations import Objects, described

_DESCRIPTIONS = [
    (),
    ("profile=demo",),
    ("profile=minimal",),
    ("profile=empty",),
    ("profile=preview",),
    ("profile=demo", "revision=blue"),
    ("profile=demo", "namespace=mesh", "values.pilot.autoscaleEnabled=true"),
    ("profile=demo", "values.global.platform=openshift"),
]
_DEPLOYMENTS = ("istiod", "istio-ingressgateway")
_each = pytest.mark.parametrize("flags", _DESCRIPTIONS, ids=" ".join)


@_each
def test_is_plain_yaml_without_aliases(flags: tuple[str, ...]) -> None:
    text = yaml.safe_dump_all(Objects(*flags).all)
    assert "&id" not in text


@_each
def test_every_object_is_once_there_and_belongs_to_the_installation(flags: tuple[str, ...]) -> None:
    operator = described(*flags)
    rendered = render(operator)
    paths = [path_of(each.object) for each in rendered]
    assert len(set(paths)) == len(paths)
    for each in rendered:
        metadata = each.object["metadata"]
        assert metadata["labels"][COMPONENT] == each.component
        shared = each.component == "Base"
        revision = "" if shared else operator.revision
        assert metadata["labels"][OWNER] == (f"installed-state-{revision}" if revision else "installed-state")
        assert metadata["labels"][REVISION] == (revision or "default")
        assert ("namespace" in metadata) == place_of(each.object).namespaced


@_each
def test_the_order_is_that_of_application(flags: tuple[str, ...]) -> None:
    rendered = render(described(*flags))
    order = [COMPONENTS.index(each.component) for each in rendered]
    assert order == sorted(order)
    known = [place for step in STEPS for place in step]
    assert all(place_of(each.object) in known for each in rendered)


@_each
def test_pods_have_no_rights_that_they_do_not_need(flags: tuple[str, ...]) -> None:
    openshift = "values.global.platform=openshift" in flags
    for deployment in Objects(*flags).of("Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert ("fsGroup" in pod["securityContext"]) != openshift
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["runAsNonRoot"] is True
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert ("runAsUser" in security) != openshift
            assert container["resources"]["requests"]


@_each
def test_selectors_find_the_pods(flags: tuple[str, ...]) -> None:
    objects = Objects(*flags)
    for deployment in objects.of("Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        name = deployment["metadata"]["name"]
        service = objects.named("Service", name)["spec"]["selector"]
        budget = objects.named("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"]
        for selector in (deployment["spec"]["selector"]["matchLabels"], service, budget):
            assert selector
            assert selector.items() <= labels.items()


@_each
def test_services_lead_to_ports_of_the_container(flags: tuple[str, ...]) -> None:
    objects = Objects(*flags)
    for service in objects.of("Service"):
        container = objects.container(service["metadata"]["name"])
        open_ports = {port["containerPort"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= open_ports


@_each
def test_either_replicas_or_an_autoscaler(flags: tuple[str, ...]) -> None:
    objects = Objects(*flags)
    for deployment in objects.of("Deployment"):
        scaled = deployment["metadata"]["name"] in objects.names("HorizontalPodAutoscaler")
        assert ("replicas" in deployment["spec"]) != scaled


@_each
def test_pods_refer_to_what_is_there(flags: tuple[str, ...]) -> None:
    objects = Objects(*flags)
    for deployment in objects.of("Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] in objects.names("ServiceAccount")
        volumes = {each["name"] for each in pod["volumes"]}
        assert {each["name"] for each in pod["containers"][0]["volumeMounts"]} <= volumes


@_each
def test_the_control_plane_takes_its_arguments(flags: tuple[str, ...]) -> None:
    objects = Objects(*flags)
    for name in (name for name in objects.names("Deployment") if name.startswith("istiod")):
        verb, *arguments = objects.container(name)["args"]
        assert verb == "discovery"
        discovery.make_context(verb, arguments)


@_each
def test_configuration_is_what_its_readers_take(flags: tuple[str, ...]) -> None:
    objects = Objects(*flags)
    for found in objects.of("ConfigMap"):
        data = found["data"]
        if "mesh" in data:
            mesh, faults = parse_mesh_config(data["mesh"])
            assert mesh is not None, faults
            assert parse_mesh_networks(data["meshNetworks"])[0] is not None
        else:
            injection, faults = parse_injection(data["config"], data["values"])
            assert injection is not None, faults
            assert not [fault for fault in faults if fault.severity is Severity.ERROR]


def test_names_are_those_that_others_look_for() -> None:
    objects = Objects("profile=demo")
    assert objects.names("Deployment") == ["istiod", "istio-ingressgateway", "istio-egressgateway"]
    assert objects.names("ConfigMap") == ["istio", "istio-sidecar-injector"]
    assert objects.names("MutatingWebhookConfiguration") == ["istio-sidecar-injector"]
    assert objects.names("ValidatingWebhookConfiguration") == [
        "istio-validator-istio-system",
        "istiod-default-validator",
    ]
    assert objects.names("ClusterRole") == ["istiod-clusterrole-istio-system"]


def test_revisions_share_no_name() -> None:
    one, other = Objects("profile=minimal"), Objects("profile=minimal", "revision=blue")
    paths = {path_of(each) for each in one.all} & {path_of(each) for each in other.all}
    assert paths == set()
    assert other.names("Deployment") == ["istiod-blue"]
    assert other.names("ConfigMap") == ["istio-blue", "istio-sidecar-injector-blue"]
    mesh = yaml.safe_load(other.named("ConfigMap", "istio-blue")["data"]["mesh"])
    assert mesh["defaultConfig"]["discoveryAddress"] == "istiod-blue.istio-system.svc:15012"
    env = {each["name"]: each.get("value") for each in other.container("istiod-blue")["env"]}
    assert env["REVISION"] == "blue"


def test_revisions_select_their_own_pods() -> None:
    one, other = Objects("profile=minimal"), Objects("profile=minimal", "revision=blue")
    for mine, others in ((one, other), (other, one)):
        selector = mine.of("Service")[0]["spec"]["selector"]
        labels = others.of("Deployment")[0]["spec"]["template"]["metadata"]["labels"]
        assert not selector.items() <= labels.items()


def test_gateways_have_the_documented_ports() -> None:
    def ports(objects: Objects, name: str) -> list[tuple[str, int, int]]:
        found = objects.named("Service", name)["spec"]["ports"]
        return [(port["name"], port["port"], port["targetPort"]) for port in found]

    usual = [("status-port", 15021, 15021), ("http2", 80, 8080), ("https", 443, 8443)]
    assert ports(Objects(), "istio-ingressgateway") == usual
    demo = Objects("profile=demo")
    more = [("tcp", 31400, 31400), ("tls", 15443, 15443)]
    assert ports(demo, "istio-ingressgateway") == [*usual, *more]
    assert ports(demo, "istio-egressgateway") == [("http2", 80, 8080), ("https", 443, 8443)]
    assert demo.named("Service", "istio-ingressgateway")["spec"]["type"] == "LoadBalancer"
    assert demo.named("Service", "istio-egressgateway")["spec"]["type"] == "ClusterIP"


def test_gateways_may_read_the_secrets_that_they_are_sent() -> None:
    objects = Objects("profile=demo")
    for name in ("istio-ingressgateway", "istio-egressgateway"):
        rules = objects.named("Role", f"{name}-sds")["rules"]
        assert rules == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}]
        binding = objects.named("RoleBinding", f"{name}-sds")
        assert binding["roleRef"]["name"] == f"{name}-sds"
        pod = objects.named("Deployment", name)["spec"]["template"]["spec"]
        assert [each["name"] for each in binding["subjects"]] == [pod["serviceAccountName"]]
        # Not by themselves.
        assert pod["automountServiceAccountToken"] is False


def test_gateways_listen_below_1024_by_a_sysctl() -> None:
    for name in ("istio-ingressgateway", "istio-egressgateway"):
        context = Objects("profile=demo").pod(name)["spec"]["securityContext"]
        assert context["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]


def test_a_further_gateway() -> None:
    spec = (
        "spec:\n  components:\n    ingressGateways:\n"
        "    - {name: internal, namespace: edge, enabled: true, label: {team: a}, "
        "k8s: {replicaCount: 3, service: {type: ClusterIP, ports: [{name: http, port: 80, targetPort: 8080}]}}}\n"
    )
    objects = Objects("values.gateways.istio-ingressgateway.autoscaleEnabled=false", spec=spec)
    assert objects.names("Deployment") == ["istiod", "istio-ingressgateway", "internal"]
    deployment = objects.named("Deployment", "internal")
    assert deployment["metadata"]["namespace"] == "edge"
    assert deployment["spec"]["replicas"] == 3
    assert deployment["spec"]["template"]["metadata"]["labels"]["team"] == "a"
    service = objects.named("Service", "internal")["spec"]
    assert service["type"] == "ClusterIP"
    assert [port["port"] for port in service["ports"]] == [80]
    assert service["selector"] == {"app": "internal", "istio": "ingressgateway", "team": "a"}


def test_kubernetes_settings_go_over_values() -> None:
    spec = """
spec:
  components:
    pilot:
      k8s:
        env: [{name: REVISION, value: other}, {name: NEW, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
        resources: {limits: {memory: 1Gi}}
        nodeSelector: {disk: fast}
        tolerations: [{key: a, operator: Exists}]
        podAnnotations: {a: b}
        serviceAnnotations: {c: d}
        priorityClassName: high
        strategy: {type: Recreate}
        imagePullPolicy: Always
        hpaSpec: {maxReplicas: 7}
        podDisruptionBudget: {maxUnavailable: 1}
        service: {type: NodePort}
        volumes: [{name: extra, emptyDir: {}}]
        volumeMounts: [{name: extra, mountPath: /extra}]
"""
    objects = Objects(spec=spec)
    deployment = objects.named("Deployment", "istiod")["spec"]
    pod, container = deployment["template"]["spec"], objects.container("istiod")
    env = {each["name"]: each for each in container["env"]}
    assert env["REVISION"]["value"] == "other"
    assert env["NEW"]["valueFrom"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}
    assert container["resources"] == {"requests": {"cpu": "500m", "memory": "2048Mi"}, "limits": {"memory": "1Gi"}}
    assert container["imagePullPolicy"] == "Always"
    assert container["volumeMounts"][-1] == {"name": "extra", "mountPath": "/extra"}
    assert pod["volumes"][-1]["name"] == "extra"
    assert (pod["nodeSelector"], pod["priorityClassName"]) == ({"disk": "fast"}, "high")
    assert pod["tolerations"] == [{"key": "a", "operator": "Exists"}]
    assert deployment["template"]["metadata"]["annotations"]["a"] == "b"
    assert deployment["strategy"] == {"type": "Recreate"}
    assert objects.named("HorizontalPodAutoscaler", "istiod")["spec"]["maxReplicas"] == 7
    budget = objects.named("PodDisruptionBudget", "istiod")["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget
    service = objects.named("Service", "istiod")
    assert service["spec"]["type"] == "NodePort"
    assert len(service["spec"]["ports"]) == 4
    assert service["metadata"]["annotations"] == {"c": "d"}


def test_overlays_go_over_everything() -> None:
    spec = r"""
spec:
  components:
    pilot:
      k8s:
        overlays:
        - kind: Deployment
          name: istiod
          patches:
          - {path: 'spec.template.spec.containers.[name:discovery].args[-1]', value: --flag}
          - {path: 'spec.template.spec.containers[0].readinessProbe.periodSeconds', value: 9}
          - {path: 'spec.strategy'}
          - {path: 'spec.template.metadata.labels.team\.io/a', value: x}
"""
    objects = Objects(spec=spec)
    deployment = objects.named("Deployment", "istiod")["spec"]
    assert objects.container("istiod")["args"][-1] == "--flag"
    assert objects.container("istiod")["readinessProbe"]["periodSeconds"] == 9
    assert "strategy" not in deployment
    assert deployment["template"]["metadata"]["labels"]["team.io/a"] == "x"


def test_overlays_are_of_what_they_name_alone() -> None:
    spec = r"""
spec:
  values: {global: {defaultNodeSelector: {kubernetes.io/os: linux}}}
  components:
    pilot:
      k8s:
        overlays:
        - kind: Deployment
          name: istiod
          patches: [{path: spec.template.spec.nodeSelector.disk, value: ssd}]
        - kind: Role
          name: istiod
          patches: [{path: metadata.labels.team, value: x}]
"""
    operator = described(spec=spec)
    rendered = render(operator)
    objects = {(each.object["kind"], each.object["metadata"]["name"]): each.object for each in rendered}
    assert objects["Role", "istiod"]["metadata"]["labels"]["team"] == "x"
    assert "team" not in objects["RoleBinding", "istiod"]["metadata"]["labels"]
    nodes = {name: objects["Deployment", name]["spec"]["template"]["spec"]["nodeSelector"] for name in _DEPLOYMENTS}
    assert nodes == {
        "istiod": {"kubernetes.io/os": "linux", "disk": "ssd"},
        "istio-ingressgateway": {"kubernetes.io/os": "linux"},
    }
    assert operator.values.global_.default_node_selector == {"kubernetes.io/os": "linux"}


@pytest.mark.parametrize(
    ("overlay", "why"),
    [
        ("{kind: Deployment, name: other, patches: []}", "there is no Deployment other; there are: ServiceAccount"),
        ("{kind: Service, name: istiod, patches: [{path: 'spec.ports[9]', value: 1}]}", "the list has 4 items"),
        ("{kind: Service, name: istiod, patches: [{path: 'spec.nothing'}]}", "there is nothing"),
        ("{kind: Service, name: istiod, patches: [{path: 'a..b', value: 1}]}", "empty key"),
    ],
)
def test_overlays_that_do_not_fit_are_refused(overlay: str, why: str) -> None:
    operator = described(spec=f"spec: {{components: {{pilot: {{k8s: {{overlays: [{overlay}]}}}}}}}}")
    with pytest.raises(ValueError, match=why) as caught:
        render(operator)
    assert "components.pilot.k8s.overlays[0]" in str(caught.value)


def test_images() -> None:
    def images(*flags: str) -> list[Any]:
        objects = Objects("profile=demo", "hub=h", "tag=t", *flags)
        return [objects.container("istiod")["image"], objects.container("istio-ingressgateway")["image"]]

    assert images() == ["h/pilot:t", "h/proxyv2:t"]
    assert images("values.global.variant=debug") == ["h/pilot:t-debug", "h/proxyv2:t-debug"]
    assert images("values.pilot.hub=p", "components.pilot.tag=c") == ["p/pilot:c", "h/proxyv2:t"]
    assert images("values.pilot.image=x/y:z", "values.global.proxy.image=q/r:s") == ["x/y:z", "q/r:s"]


def test_telemetry_is_what_the_mesh_is_told() -> None:
    def providers(*flags: str) -> Any:
        data = Objects(*flags).named("ConfigMap", "istio")["data"]
        return yaml.safe_load(data["mesh"]).get("defaultProviders")

    assert providers() == {"metrics": ["prometheus"]}
    # The control plane takes `prometheus` for granted unless it is told otherwise.
    assert providers("values.telemetry.enabled=false") == {"metrics": []}
    assert providers("values.telemetry.v2.prometheus.enabled=false") == {"metrics": []}
    assert providers("meshConfig.defaultProviders.metrics=[]") == {"metrics": []}


def test_values_for_injection_have_every_default() -> None:
    values = json.loads(Objects().named("ConfigMap", "istio-sidecar-injector")["data"]["values"])
    assert values["global"]["proxy"]["resources"]["requests"] == {"cpu": "100m", "memory": "128Mi"}
    assert values["global"]["hub"] == "lateen.dev"
    assert values["sidecarInjectorWebhook"]["rewriteAppHTTPProbe"] is True
