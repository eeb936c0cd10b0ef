from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lateen.api.networking.gateway import Gateway
from lateen.api.networking.gateway_validation import validate
from lateen.api.objects import Key, Metadata, Object
from lateen.api.schema.fault import Fault, Severity

HTTP = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}


def faults(*servers: dict[str, Any], name: str = "gw") -> list[Fault]:
    spec = msgspec.convert({"servers": servers, "selector": {"app": "gw"}}, Gateway)
    return list(validate(Object(metadata=Metadata(name=name, namespace="ns"), spec=spec, key=Key("ns", name))))


def https(tls: dict[str, Any] | None, **port: Any) -> dict[str, Any]:
    server: dict[str, Any] = {"port": {"number": 443, "name": "https", "protocol": "HTTPS", **port}, "hosts": ["a.com"]}
    return server if tls is None else {**server, "tls": tls}


def test_good_gateways_have_no_faults() -> None:
    assert faults(HTTP) == []
    assert faults({**HTTP, "tls": {"httpsRedirect": True}}) == []
    assert faults(https({"mode": "SIMPLE", "credentialName": "c"})) == []
    assert faults(https({"mode": "MUTUAL", "credentialNames": ["rsa", "ecdsa"], "minProtocolVersion": "TLSV1_3"})) == []
    assert faults(https({"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k"})) == []
    pair = {"serverCertificate": "/c", "privateKey": "/k", "caCertificates": "/ca"}
    assert faults(https({"mode": "OPTIONAL_MUTUAL", "tlsCertificates": [pair]})) == []
    assert faults(https({"mode": "ISTIO_MUTUAL"}, protocol="tls")) == []
    assert faults(https({}), {**HTTP, "bind": "10.0.0.1", "hosts": ["./*.a.com", "*/b.com", "ns/*", "c.com"]}) == []
    unix = {"port": {"number": 0, "name": "u", "protocol": "TCP"}, "hosts": ["*"], "bind": "unix:///run/a.sock"}
    assert faults(unix) == []


@pytest.mark.parametrize(
    ("server", "path"),
    [
        ({**HTTP, "hosts": []}, "hosts"),
        ({**HTTP, "hosts": ["*", "a_b"]}, "hosts[1]"),
        ({**HTTP, "hosts": ["~/a.com"]}, "hosts[0]"),
        ({**HTTP, "hosts": ["ns/"]}, "hosts[0]"),
        ({**HTTP, "hosts": ["ns/a/b"]}, "hosts[0]"),
        ({**HTTP, "port": {"number": 80, "name": "http", "protocol": "SMTP"}}, "port.protocol"),
        ({**HTTP, "port": {"number": 80, "name": "udp", "protocol": "UDP"}}, "port.protocol"),
        ({**HTTP, "port": {"number": 0, "name": "http", "protocol": "HTTP"}}, "port.number"),
        ({**HTTP, "port": {"number": 70000, "name": "http", "protocol": "HTTP"}}, "port.number"),
        ({**HTTP, "port": {"number": 80, "name": "", "protocol": "HTTP"}}, "port.name"),
        ({**HTTP, "port": {"number": 80, "name": "h", "protocol": "HTTP", "targetPort": 8080}}, "port.targetPort"),
        ({**HTTP, "bind": "nowhere"}, "bind"),
        ({**HTTP, "bind": "unix:///a"}, "port.number"),
        ({**HTTP, "bind": "unix://a", "port": {"number": 0, "name": "u", "protocol": "TCP"}}, "bind"),
        ({**HTTP, "tls": {"mode": "SIMPLE", "credentialName": "c"}}, "tls"),
        (https(None), "tls"),
        ({**https({}), "hosts": ["*-a.com"]}, "hosts[0]"),
        (https({"mode": "SIMPLE", "credentialName": "c"}, protocol="TCP"), "tls"),
        (https({"mode": "SIMPLE", "privateKey": "/k"}), "tls.serverCertificate"),
        (https({"mode": "SIMPLE", "serverCertificate": "/c"}), "tls.privateKey"),
        (https({"mode": "SIMPLE", "credentialName": "c", "credentialNames": ["d"]}), "tls"),
        (https({"mode": "MUTUAL", "serverCertificate": "/c", "privateKey": "/k"}), "tls.caCertificates"),
        (
            https({"mode": "SIMPLE", "tlsCertificates": [{"privateKey": "/k"}]}),
            "tls.tlsCertificates[0].serverCertificate",
        ),
        (https({"mode": "ISTIO_MUTUAL", "credentialName": "c"}), "tls.credentialName"),
        (https({"mode": "ISTIO_MUTUAL", "privateKey": "/k"}), "tls.privateKey"),
        (https({"mode": "MUTUAL", "credentialName": "c", "caCrl": "/crl"}), "tls.caCrl"),
        (https({"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k", "caCrl": "/crl"}), "tls.caCrl"),
        (
            https(
                {
                    "credentialName": "c",
                    "mode": "SIMPLE",
                    "minProtocolVersion": "TLSV1_3",
                    "maxProtocolVersion": "TLSV1_2",
                }
            ),
            "tls.minProtocolVersion",
        ),
    ],
)
def test_errors_are_located(server: dict[str, Any], path: str) -> None:
    assert [f.path for f in faults(server) if f.severity is Severity.ERROR] == [f"spec.servers[0].{path}"]


@pytest.mark.parametrize(
    ("server", "path"),
    [
        (https({"mode": "PASSTHROUGH", "credentialName": "c"}), "tls.credentialName"),
        (https({"mode": "PASSTHROUGH", "httpsRedirect": True}), "tls.httpsRedirect"),
        (https({"mode": "SIMPLE", "credentialName": "c", "cipherSuites": ["X"]}), "tls.cipherSuites[0]"),
        (https({"mode": "SIMPLE", "credentialName": "c", "cipherSuites": ["AES128-SHA"] * 2}), "tls.cipherSuites[0]"),
        (https({"mode": "SIMPLE", "credentialName": "c", "minProtocolVersion": "TLSV1_0"}), "tls.minProtocolVersion"),
        (https({"mode": "SIMPLE", "credentialName": "c", "subjectAltNames": ["a"]}), "tls.subjectAltNames"),
        ({**HTTP, "defaultEndpoint": "127.0.0.1:80"}, "defaultEndpoint"),
        ({**HTTP, "name": "edge"}, "name"),
    ],
)
def test_warnings_are_located(server: dict[str, Any], path: str) -> None:
    assert [(f.path, f.severity) for f in faults(server)] == [(f"spec.servers[0].{path}", Severity.WARNING)]


def test_a_gateway_has_servers_a_simple_name_and_unique_port_names() -> None:
    assert [f.path for f in faults()] == ["spec.servers"]
    assert [f.path for f in faults(HTTP, name="a.b")] == ["metadata.name"]
    assert [f.path for f in faults(HTTP, HTTP)] == ["spec.servers[1].port.name"]
