"""Issued certificates in real Envoys: both sides present and verify them, and say what they have seen."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lateen.identity.authority import Authority
from lateen.identity.facts import WorkloadFacts
from lateen.identity.plugged import load
from lateen.identity.rotation import RootState, RotationTerms, advance, begin
from lateen.identity.self_signed import self_signed
from lateen.identity.signing import public_key_of, sign
from lateen.model.identity import PeerIdentity
from lateen.testing.authorities import SigningPair, ec_key, key_pem, rsa_key, signing_pair, signing_request
from lateen.testing.running_envoy import RunningEnvoy

NOW = datetime.now(UTC)
WEB, BANK = PeerIdentity("shop", "web", "cluster.local"), PeerIdentity("bank", "ledger", "cluster.local")
FACTS = WorkloadFacts("web-v1", "shop", "web", "v1", "Kubernetes", "web", "v1")
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"


class Workload(NamedTuple):
    """What a proxy holds."""

    chain: str
    key: str
    roots: str


def workload(authority: Authority, identity: PeerIdentity, key: Any = None, facts: WorkloadFacts = FACTS) -> Workload:
    """By way of a signing request, as an agent gets it."""
    key = key or ec_key()
    public = public_key_of(signing_request(key).encode())
    issued = sign(authority, public, identity, facts, now=NOW)
    return Workload("".join((issued.certificate, *issued.path)), key_pem(key).decode(), "".join(issued.roots))


def plugged(key: Any = None) -> Authority:
    root = signing_pair("root", key=key)
    middle = signing_pair("middle", root, key=key and rsa_key())
    lower = signing_pair("lower", middle, key=key and rsa_key())
    files = {"ca-cert.pem": lower.pem, "ca-key.pem": lower.key_pem, "cert-chain.pem": middle.pem}
    found = load(files | {"root-cert.pem": root.pem}, NOW).authority
    assert found is not None
    return found


def tls(holder: Workload, peer: str, kind: str) -> dict[str, Any]:
    """A transport socket that shows the holder's certificate, and takes a peer of that SPIFFE prefix."""
    san = {"san_type": "URI", "matcher": {"prefix": peer}}
    common = {
        "tls_certificates": [
            {"certificate_chain": {"inline_string": holder.chain}, "private_key": {"inline_string": holder.key}}
        ],
        "validation_context": {
            "trusted_ca": {"inline_string": holder.roots},
            "match_typed_subject_alt_names": [san],
        },
    }
    context: dict[str, Any] = {"@type": f"{TLS}.{kind}", "common_tls_context": common}
    if kind == "DownstreamTlsContext":
        context["require_client_certificate"] = True
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def manager(route: dict[str, Any]) -> dict[str, Any]:
    seen = {"x-peer": "%DOWNSTREAM_PEER_URI_SAN%", "x-subject": "%DOWNSTREAM_PEER_SUBJECT%"}
    headers = [{"header": {"key": key, "value": value}} for key, value in seen.items()]
    if "direct_response" in route:
        route = {**route, "response_headers_to_add": headers}
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    return {
        "name": "http",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
            ".HttpConnectionManager",
            "stat_prefix": "test",
            "route_config": {
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **route}]}]
            },
            "http_filters": [{"name": "router", "typed_config": {"@type": router}}],
        },
    }


def bootstrap(place: Path, client: Workload, server: Workload, clients: str, servers: str) -> dict[str, Any]:
    """A client (plaintext in, mutual TLS out) and a server that both listens for it and on a port."""
    pipe = {"pipe": {"path": str(place / "server")}}
    anywhere = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    answer = {"direct_response": {"status": 200, "body": {"inline_string": "hello"}}}
    behind = {
        "filters": [manager(answer)],
        "transport_socket": tls(server, clients, "DownstreamTlsContext"),
    }
    assignment = {"cluster_name": "server", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": pipe}}]}]}
    return {
        "node": {"id": "test", "cluster": "test"},
        "static_resources": {
            "listeners": [
                {
                    "name": "client",
                    "address": anywhere,
                    "filter_chains": [{"filters": [manager({"route": {"cluster": "server"}})]}],
                },
                {"name": "server", "address": pipe, "filter_chains": [behind]},
                {"name": "port", "address": anywhere, "filter_chains": [behind]},
            ],
            "clusters": [
                {
                    "name": "server",
                    "type": "STATIC",
                    "connect_timeout": "5s",
                    "load_assignment": assignment,
                    "transport_socket": tls(client, servers, "UpstreamTlsContext"),
                }
            ],
        },
    }


@contextmanager
def proxies(
    place: Path,
    client: Workload,
    server: Workload,
    *,
    clients: str = "spiffe://cluster.local/ns/shop/",
    servers: str = "spiffe://cluster.local/ns/bank/sa/ledger",
) -> Iterator[RunningEnvoy]:
    with RunningEnvoy(bootstrap(place, client, server, clients, servers)) as envoy:
        envoy.until(lambda: {"client", "port"} <= set(envoy.addresses()), "its listeners listen")
        yield envoy


def through(envoy: RunningEnvoy) -> tuple[int, str, str]:
    """A request through the client: status, and whom the server has seen."""
    connection = http.client.HTTPConnection(*envoy.addresses()["client"], timeout=60)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("x-peer", ""), answer.getheader("x-subject", "")
    finally:
        connection.close()


def straight(envoy: RunningEnvoy, place: Path, shown: Workload | None, roots: str) -> bytes:
    """What a client of OpenSSL gets from the server; empty when it is not let in."""
    context = ssl.create_default_context(cadata=roots)
    context.check_hostname = False
    if shown is not None:
        (place / "chain").write_text(shown.chain)
        (place / "key").write_text(shown.key)
        context.load_cert_chain(place / "chain", place / "key")
    try:
        with (
            socket.create_connection(envoy.addresses()["port"], timeout=60) as plain,
            context.wrap_socket(plain) as secure,
        ):
            secure.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            return secure.recv(10)
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("make", "client_key", "server_key"),
    [
        (lambda: self_signed(NOW), ec_key, ec_key),
        (lambda: self_signed(NOW), rsa_key, ec_key),
        (plugged, ec_key, rsa_key),
        (lambda: plugged(rsa_key()), rsa_key, ec_key),
    ],
    ids=["self-signed", "RSA client", "plugged EC", "plugged RSA"],
)
def test_both_sides_know_each_other(make: Any, client_key: Any, server_key: Any, tmp_path: Path) -> None:
    authority = make()
    client, server = workload(authority, WEB, client_key()), workload(authority, BANK, server_key())
    with proxies(tmp_path, client, server) as envoy:
        status, peer, subject = through(envoy)
        assert (status, peer) == (200, str(WEB)), envoy.log()
        # Envoy prints a Subject from its last part to its first.
        assert subject == "OU=cr=v1,OU=cs=web,OU=cluster=Kubernetes,OU=ver=v1,OU=app=web,O=shop,CN=web-v1"
        assert straight(envoy, tmp_path, client, client.roots) == b"HTTP/1.1 2"


def test_who_is_not_of_the_mesh_is_not_let_in(tmp_path: Path) -> None:
    authority, forger = self_signed(NOW), self_signed(NOW)
    client, server = workload(authority, WEB), workload(authority, BANK)
    with proxies(tmp_path, client, server) as envoy:
        roots = client.roots
        assert straight(envoy, tmp_path, workload(authority, WEB), roots) == b"HTTP/1.1 2"
        assert straight(envoy, tmp_path, None, roots) == b""
        assert straight(envoy, tmp_path, workload(forger, WEB), roots) == b""
        # Of the mesh, but of a namespace that the server does not take.
        assert straight(envoy, tmp_path, workload(authority, BANK), roots) == b""
        # A workload's certificate signs nobody's: it is no authority.
        key = ec_key()
        fake = signing_pair("fake", SigningPair(_leaf(client), _key(client)), key=key)
        shown = Workload(fake.pem.decode() + client.chain, key_pem(key).decode(), roots)
        assert straight(envoy, tmp_path, shown, roots) == b""


def test_a_server_that_is_another_is_not_talked_to(tmp_path: Path) -> None:
    authority = self_signed(NOW)
    impostor = workload(authority, BANK._replace(service_account="intern"))
    with proxies(tmp_path, workload(authority, WEB), impostor) as envoy:
        assert through(envoy)[0] == 503
        assert envoy.stats("cluster.server.ssl.fail_verify_san") == {"cluster.server.ssl.fail_verify_san": 1}


def test_certificates_of_every_phase_of_a_rotation_get_along(tmp_path: Path) -> None:
    """What was issued just before a step talks to what is issued just after it, in both directions."""
    terms = RotationTerms()
    announced = begin(RootState(self_signed(NOW)), self_signed(NOW), NOW)
    retiring = advance(announced, NOW + terms.step, terms)
    steady = advance(retiring, NOW + 2 * terms.step, terms)
    for number, (before, after) in enumerate(((announced, retiring), (retiring, steady))):
        for client, server in ((before, after), (after, before)):
            place = tmp_path / f"{number}-{client is before}"
            place.mkdir()
            with proxies(place, workload(client.authority, WEB), workload(server.authority, BANK)) as envoy:
                assert through(envoy)[:2] == (200, str(WEB)), envoy.log()


def _leaf(holder: Workload) -> Any:
    return x509.load_pem_x509_certificate(holder.chain.encode())


def _key(holder: Workload) -> Any:
    return load_pem_private_key(holder.key.encode(), None)
