"""`lateen translate`: outputs, errors and exit status, as people and scripts see them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from lateen.cli.main import main
from lateen.testing.certificates import Authority
from lateen.xds.debug.redaction import REDACTED_BYTES

MANIFESTS = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-v1}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {app: client}}
spec: {containers: [{name: client, image: client}]}
status: {phase: Running, podIP: 10.1.0.9}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http: [{timeout: 3s, route: [{destination: {host: web}}]}]
"""
INVALID = """\
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec: {host: web, trafficPolicy: {connectionPool: {tcp: {maxConnections: -3}}}}
"""
GATEWAY = """\
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: edge}
  servers:
  - port: {number: 8443, name: https, protocol: HTTPS}
    hosts: [web.example.com]
    tls: {mode: SIMPLE, credentialName: web}
---
apiVersion: v1
kind: Pod
metadata: {name: edge, labels: {istio: edge}}
spec: {containers: [{name: edge, image: edge}]}
status: {phase: Running, podIP: 10.1.0.8}
"""
UNKNOWN_MESSAGE = """\
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: own}
spec:
  workloadSelector: {labels: {app: client}}
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_OUTBOUND
      listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: own
        typed_config:
          "@type": type.googleapis.com/xds.type.v3.TypedStruct
          type_url: type.googleapis.com/own.filters.http.v1.Own
          value: {greeting: hello}
"""


def run(*arguments: str, manifests: str = MANIFESTS) -> Result:
    return CliRunner().invoke(main, ["translate", "-f", "-", *arguments], input=manifests)


def data(*arguments: str, manifests: str = MANIFESTS) -> Any:
    result = run(*arguments, "-o", "json", manifests=manifests)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def names(resources: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in resources]


def test_good_manifests_leave_nothing_to_say() -> None:
    assert run("--proxy", "client").stderr == ""


def test_everything_but_secrets_is_printed_by_type() -> None:
    found = data("--proxy", "client")
    assert list(found) == ["clusters", "endpoints", "listeners", "routes", "extensions"]
    assert names(found["clusters"]) == [
        "BlackHoleCluster",
        "InboundPassthroughCluster",
        "PassthroughCluster",
        "outbound|80||web.default.svc.cluster.local",
    ]
    assert names(found["listeners"]) == ["0.0.0.0_80", "virtualInbound", "virtualOutbound"]
    assert names(found["routes"]) == ["80"]
    assert found["extensions"] == []


def test_yaml_says_the_same_and_is_the_default() -> None:
    result = run("--proxy", "client")
    assert yaml.safe_load(result.stdout) == data("--proxy", "client")


@pytest.mark.parametrize(
    ("type_", "first"),
    [("cds", "BlackHoleCluster"), ("lds", "0.0.0.0_80"), ("rds", "80"), ("eds", None)],
)
def test_one_type_is_a_list(type_: str, first: str | None) -> None:
    found = data("--proxy", "client", "--type", type_)
    assert isinstance(found, list)
    assert found[0].get("name") == first


def test_several_types_are_kept_apart() -> None:
    assert list(data("--proxy", "client", "--type", "rds", "--type", "cds")) == ["routes", "clusters"]


@pytest.mark.parametrize("proxy", ["client", "client.default", "web-v1", "web-v1.default", "web-v1-0"])
def test_pods_and_workloads_name_a_proxy(proxy: str) -> None:
    inbound = ["inbound|8080||"] if proxy.startswith("web") else []
    assert [n for n in names(data("--proxy", proxy, "--type", "cds")) if n.startswith("inbound")] == inbound


def test_an_unknown_proxy_is_told_who_is_there() -> None:
    result = run("--proxy", "nobody")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: no workload nobody; there are:\n  client.default\n  web-v1-0.default\n"
    empty = run("--proxy", "nobody", manifests="")
    assert empty.stderr == "Error: no workload nobody; there are neither pods nor workloads in the manifests\n"


def test_names_are_in_a_namespace() -> None:
    assert run("--proxy", "client.shop").exit_code == 1
    (found,) = data("--proxy", "client", "-n", "shop", "--type", "rds")
    assert found["virtual_hosts"][0]["name"] == "web.shop.svc.cluster.local:80"
    assert run("--proxy", "client.shop", "-n", "shop").exit_code == 0


def test_what_is_invalid_is_left_out_and_told_once() -> None:
    result = run("--proxy", "client", "--type", "cds", "-o", "json", manifests=MANIFESTS + INVALID)
    assert result.exit_code == 1
    assert "outbound|80||web.default.svc.cluster.local" in names(json.loads(result.stdout))
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: -:30: ")
    assert "DestinationRule default/web: spec.trafficPolicy.connectionPool.tcp.maxConnections: " in line


def test_what_is_referred_to_and_is_not_there_is_warned_about() -> None:
    manifests = MANIFESTS.replace("destination: {host: web}", "destination: {host: wbe}") + GATEWAY
    result = run("--proxy", "client", "--type", "cds", manifests=manifests)
    assert result.exit_code == 0
    told = result.stderr.splitlines()
    (missing_secret,) = [line for line in told if "Secret" in line]
    (missing_service,) = [line for line in told if "wbe" in line]
    assert missing_secret.startswith("warning: Gateway default/edge: spec.servers[0].tls.credentialName: ")
    assert missing_service.startswith("warning: VirtualService default/web: spec.http[0].route[0].destination")


def test_what_has_no_effect_is_warned_about() -> None:
    older = "---\n" + MANIFESTS.split("---\n")[-1].replace("{name: web}", "{name: another}")
    result = run("--proxy", "client", "--type", "cds", manifests=MANIFESTS + older)
    assert result.exit_code == 0
    assert [line for line in result.stderr.splitlines() if line.startswith("warning: VirtualService default/web: ")]


def test_subsets_of_deployments_need_no_endpoints() -> None:
    rule = """\
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec: {host: web, subsets: [{name: v1, labels: {version: v1}}]}
"""
    assert run("--proxy", "client", manifests=MANIFESTS + rule).stderr == ""


def test_warnings_do_not_fail() -> None:
    result = run("--proxy", "client", "--type", "lds", "-o", "json", manifests=MANIFESTS + UNKNOWN_MESSAGE)
    assert result.exit_code == 0
    assert all(line.startswith("warning: ") for line in result.stderr.splitlines())


def test_a_message_that_nobody_here_knows_is_shown_as_it_was_written() -> None:
    result = run("--proxy", "client", "--type", "lds", "-o", "json", manifests=MANIFESTS + UNKNOWN_MESSAGE)
    (chain,) = next(each for each in json.loads(result.stdout) if each["name"] == "0.0.0.0_80")["filter_chains"]
    filters = {each["name"]: each["typed_config"] for each in chain["filters"][0]["typed_config"]["http_filters"]}
    assert filters["own"] == {
        "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
        "type_url": "type.googleapis.com/own.filters.http.v1.Own",
        "value": {"greeting": "hello"},
    }


def test_who_a_gateway_selects_is_a_gateway() -> None:
    found = data("--proxy", "edge", manifests=MANIFESTS + GATEWAY)
    assert names(found["listeners"]) == ["0.0.0.0_8443"]
    assert names(found["routes"]) == ["https.8443.https.edge.default"]
    sidecar = data("--proxy", "edge", "--role", "sidecar", "--type", "lds", manifests=MANIFESTS + GATEWAY)
    assert "virtualInbound" in names(sidecar)
    router = data("--proxy", "client", "--role", "router", "--type", "lds", manifests=MANIFESTS + GATEWAY)
    assert router == []


@pytest.mark.parametrize(("template", "demands"), [("grpc-agent", True), ("sidecar, grpc-simple", False)])
def test_a_pod_without_a_proxy_is_told_what_grpc_takes(template: str, demands: bool) -> None:
    annotations = f"annotations: {{inject.istio.io/templates: '{template}'}}"
    manifests = MANIFESTS.replace("name: client, labels", f"name: client, {annotations}, labels")
    strict = """\
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec: {host: web, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
"""
    found = data("--proxy", "client", manifests=manifests + strict)
    assert {"web:80", "web.default.svc.cluster.local:80"} <= set(names(found["listeners"]))
    cluster = next(each for each in found["clusters"] if each["name"] == "outbound|80||web.default.svc.cluster.local")
    # The latter template brings no certificates.
    assert ("transport_socket" in cluster) is demands


def test_keys_are_not_shown() -> None:
    pair = Authority().issue("web.example.com")
    secret: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "web"},
        "type": "kubernetes.io/tls",
        "data": {
            "tls.crt": base64.b64encode(pair.certificate.encode()).decode(),
            "tls.key": base64.b64encode(pair.key.encode()).decode(),
        },
    }
    manifests = f"{MANIFESTS}{GATEWAY}---\n{yaml.safe_dump(secret)}"
    (found,) = data("--proxy", "edge", "--type", "sds", manifests=manifests)
    assert found["name"] == "kubernetes://web"
    assert found["tls_certificate"]["private_key"] == {"inline_bytes": REDACTED_BYTES}
    assert "certificate_chain" in found["tls_certificate"]
    for output in ("json", "yaml"):
        text = run("--proxy", "edge", "--type", "sds", "-o", output, manifests=manifests).output
        assert "PRIVATE" not in text
        assert secret["data"]["tls.key"][:40] not in text


def test_mesh_config_counts(tmp_path: Path) -> None:
    path = tmp_path / "mesh.yaml"
    path.write_text("connectTimeout: 3s\noutboundTrafficPolicy: {mode: REGISTRY_ONLY}\n")
    found = data("--proxy", "client", "--mesh-config", str(path))
    service = next(each for each in found["clusters"] if each["name"].startswith("outbound"))
    assert service["connect_timeout"] == "3s"
    assert found["routes"][0]["virtual_hosts"][-1]["name"] == "block_all"


def test_mesh_config_that_is_invalid_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mesh.yaml"
    path.write_text("connectTimeout: soon\n")
    result = run("--proxy", "client", "--type", "cds", "--mesh-config", str(path))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {path}: ")
    assert "connectTimeout" in line


def test_files_and_directories(tmp_path: Path) -> None:
    directory = tmp_path / "mesh"
    (directory / "deep").mkdir(parents=True)
    (directory / "deep" / "web.yaml").write_text(MANIFESTS)
    (tmp_path / "more.yaml").write_text(GATEWAY)
    arguments = ["translate", "-f", str(directory), "-f", str(tmp_path / "more.yaml"), "--proxy", "edge", "-o", "json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert names(json.loads(result.stdout)["listeners"]) == ["0.0.0.0_8443"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--proxy", "client", "-f", "/nowhere.yaml"), "/nowhere.yaml: no such file or directory"),
        ((), "Missing option '--proxy'"),
        (("--proxy", "client", "--type", "clusters"), "'clusters' is not one of 'cds'"),
        (("--proxy", "client", "--mesh-config", "/nowhere.yaml"), "'/nowhere.yaml' does not exist"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_yaml_that_cannot_be_read_is_told() -> None:
    result = run("--proxy", "client", manifests="a: [")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "error: -: line 2: did not find expected node content"
