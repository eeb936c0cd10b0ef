"""Templates other than the sidecar's: those that are built in, and users' own."""

from __future__ import annotations

from lateen.testing.injected_pods import configuration, container, injected, names, pod, variables


def test_the_gateway_template() -> None:
    given = pod({"inject.istio.io/templates": "gateway"}, containers=[{"name": "istio-proxy", "image": "auto"}])
    found = injected(given)
    assert names(found, "containers") == ["istio-proxy"]
    assert names(found, "initContainers") == []
    assert container(found, "istio-proxy")["args"][:2] == ["proxy", "router"]
    assert found["metadata"]["labels"]["istio.io/rev"] == "default"
    assert found["spec"]["securityContext"]["sysctls"][0]["name"] == "net.ipv4.ip_unprivileged_port_start"


def test_the_grpc_agent_template() -> None:
    found = injected(pod({"inject.istio.io/templates": "grpc-agent"}))
    assert variables(found, "app")["GRPC_XDS_BOOTSTRAP"] == "/etc/istio/proxy/grpc-bootstrap.json"
    assert variables(found)["DISABLE_ENVOY"] == "true"
    assert "istio-init" not in names(found, "initContainers")
    assert "istio-xds" in names(found, "volumes")


def test_users_templates_and_aliases() -> None:
    config = configuration(
        """
        defaultTemplates: [sidecar, team]
        aliases: {both: [sidecar, team]}
        templates:
          team: |
            metadata:
              labels:
                team: {{ index .ObjectMeta.Labels "app" | default "none" | quote }}
            spec:
              containers:
              {{- range .Spec.Containers }}
              - name: {{ .Name }}
                env: [{name: HUB, value: {{ $.Values.global.hub }}}]
              {{- end }}
        """,
        global_={"hub": "h"},
    )
    found = injected(pod(), config)
    assert found["metadata"]["labels"]["team"] == "web"
    assert variables(found, "app") == {"HUB": "h"}
    assert "istio-proxy" in names(found, "initContainers")
    only = injected(pod({"inject.istio.io/templates": "team"}), config)
    assert names(only, "initContainers") == []
    assert injected(pod({"inject.istio.io/templates": "both"}), config)["spec"] == found["spec"]


def test_users_own_sidecar_template_counts_over_the_built_in() -> None:
    config = configuration("templates: {sidecar: 'spec: {containers: [{name: istio-proxy, image: mine}]}'}")
    found = injected(pod(), config)
    assert names(found, "containers") == ["app", "istio-proxy"]
    assert container(found, "istio-proxy")["image"] == "mine"
