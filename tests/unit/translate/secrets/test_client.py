from __future__ import annotations

from typing import Any

import msgspec
import pytest
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from lateen.model.fault import ConfigError
from lateen.model.proxy import Certificates, Proxy, Traits
from lateen.testing.certificates import Authority
from lateen.testing.envoy import accepts, decoded
from lateen.testing.mesh import Mesh
from lateen.translate.resource import ResourceType

ENTRY = """
kind: ServiceEntry
metadata: {name: entry, namespace: default}
spec:
  hosts: [a.example.com]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{number: 443, name: https, protocol: HTTPS}]
"""


def rule(tls: dict[str, Any], namespace: str = "default", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "DestinationRule",
        "metadata": {"name": "rule", "namespace": namespace},
        "spec": {"host": "a.example.com", "trafficPolicy": {"tls": tls}, **spec},
    }


def secret(namespace: str, **data: str) -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"name": "client", "namespace": namespace}, "stringData": data}


def names(mesh: Mesh, proxy: Proxy) -> list[str]:
    return sorted(mesh.recipes(ResourceType.SDS, proxy))


MUTUAL = {"mode": "MUTUAL", "credentialName": "client"}
FILES = {"mode": "MUTUAL", "clientCertificate": "/c", "privateKey": "/k", "caCertificates": "/r", "caCrl": "/l"}
BOTH = ["kubernetes://client", "kubernetes://client-cacert"]


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        (MUTUAL, BOTH),
        ({"mode": "SIMPLE", "credentialName": "client"}, BOTH[1:]),
        ({**MUTUAL, "insecureSkipVerify": True}, BOTH[:1]),
        ({"mode": "SIMPLE"}, ["file-root:///etc/ssl/certs/ca-certificates.crt"]),
        ({"mode": "SIMPLE", "caCertificates": "system"}, ["file-root:///etc/ssl/certs/ca-certificates.crt"]),
        ({"mode": "SIMPLE", "insecureSkipVerify": True}, []),
        (FILES, ["file-cert:///c~/k", "file-root:///r~/l"]),
        ({"mode": "ISTIO_MUTUAL"}, []),
        ({"mode": "DISABLE"}, []),
    ],
)
def test_a_gateway_gets_what_rules_name(tls: dict[str, Any], expected: list[str]) -> None:
    mesh = Mesh(ENTRY, rule(tls))
    assert names(mesh, mesh.gateway()) == expected


def test_a_sidecar_gets_what_rules_name_that_select_it() -> None:
    mesh = Mesh(ENTRY, rule(MUTUAL, workloadSelector={"matchLabels": {"app": "a"}}))
    assert names(mesh, mesh.proxy(labels={"app": "a"})) == BOTH
    assert names(mesh, mesh.proxy(labels={"app": "b"})) == []
    everybody = Mesh(ENTRY, rule(MUTUAL))
    assert names(everybody, everybody.proxy(labels={"app": "a"})) == []


def test_who_may_have_no_secrets_gets_none() -> None:
    mesh = Mesh(ENTRY, rule(MUTUAL, workloadSelector={"matchLabels": {"app": "a"}}))
    for proxy in (mesh.gateway(), mesh.proxy(labels={"app": "a"})):
        assert names(mesh, msgspec.structs.replace(proxy, secrets=False)) == []


def test_files_are_every_clients_own() -> None:
    mesh = Mesh(ENTRY, rule(FILES))
    assert names(mesh, mesh.proxy()) == ["file-cert:///c~/k", "file-root:///r~/l"]


def test_the_system_s_roots_are_where_the_proxy_says() -> None:
    mesh = Mesh(ENTRY, rule({"mode": "SIMPLE"}))
    traits = Traits(certificates=Certificates(system_roots="/roots"))
    assert names(mesh, mesh.proxy(traits=traits)) == ["file-root:///roots"]


def test_what_clusters_refer_to_is_what_is_served() -> None:
    for tls in (MUTUAL, FILES, {"mode": "SIMPLE"}):
        mesh = Mesh(ENTRY, rule(tls))
        for proxy in (mesh.proxy(), mesh.gateway()):
            made = mesh.resources(ResourceType.CDS, proxy)["outbound|443||a.example.com"]
            found = decoded(ResourceType.CDS, made)
            context = tls_pb2.UpstreamTlsContext.FromString(found.transport_socket.typed_config.value)
            common = context.common_tls_context
            asked = {each.name for each in common.tls_certificate_sds_secret_configs}
            if common.HasField("combined_validation_context"):
                asked.add(common.combined_validation_context.validation_context_sds_secret_config.name)
            assert asked == set(names(mesh, proxy))


def test_the_secrets_are_those_of_the_clients_namespace() -> None:
    authority = Authority()
    pair = authority.issue("client.example.com")
    data = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.root}
    mesh = Mesh(ENTRY, rule(MUTUAL), secret("istio-system", **data))
    made = mesh.resources(ResourceType.SDS, mesh.gateway())
    accepts({ResourceType.SDS: made.values()})
    found = decoded(ResourceType.SDS, made["kubernetes://client"])
    assert found.tls_certificate.certificate_chain.inline_bytes == pair.certificate.encode()


def test_a_secret_of_another_namespace_is_refused() -> None:
    mesh = Mesh(ENTRY, rule({**MUTUAL, "credentialName": "kubernetes://other/client"}))
    recipe = mesh.recipes(ResourceType.SDS, mesh.gateway())["kubernetes://other/client"]
    with pytest.raises(ConfigError, match="may not use Secrets of namespace other") as caught:
        mesh.make(recipe)
    assert caught.value.resource.kind == "DestinationRule"
