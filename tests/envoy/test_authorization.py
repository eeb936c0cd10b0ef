"""Each construct of AuthorizationPolicies, allowed and denied by a real sidecar; and what attackers try.

Every case is a workload of its own behind one Envoy.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lateen.testing.certificates import Authority
from lateen.testing.guarded_workload import WITHOUT_METRICS, Ask, Caller, Guards
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.static_bootstrap import static_bootstrap

FRIEND = Caller("spiffe://cluster.local/ns/friends/sa/friend")
NEIGHBOUR = Caller("spiffe://cluster.local/ns/default/sa/neighbour")
ALIAS = Caller("spiffe://old/ns/friends/sa/friend")
PLAIN = Caller()
FAR = Caller(address="127.9.0.1")

CALLERS = {"friend": FRIEND, "neighbour": NEIGHBOUR, "alias": ALIAS, "plain": PLAIN, "far": FAR}


def allow(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    spec = {"action": "ALLOW", "rules": list(rules), **more}
    return {"kind": "AuthorizationPolicy", "metadata": {"name": "allow"}, "spec": spec}


def deny(*rules: dict[str, Any], name: str = "deny", **metadata: Any) -> dict[str, Any]:
    metadata = {"name": name, **metadata}
    return {"kind": "AuthorizationPolicy", "metadata": metadata, "spec": {"action": "DENY", "rules": list(rules)}}


def from_(**source: Any) -> dict[str, Any]:
    return {"from": [{"source": source}]}


def to(**operation: Any) -> dict[str, Any]:
    return {"to": [{"operation": operation}]}


def when(key: str, *values: str, unless: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "when": [{"key": key, **({"values": values} if values else {}), **({"notValues": unless} if unless else {})}]
    }


class Case(NamedTuple):
    name: str
    policies: tuple[dict[str, Any], ...]
    passes: dict[str, bool]
    """By caller, for requests."""
    streams: dict[str, bool] | None = None
    """By caller, for byte streams; None: the same."""


NOBODY = dict.fromkeys(CALLERS, False)
EVERYBODY = dict.fromkeys(CALLERS, True)
MESH = {"friend": True, "neighbour": True, "alias": True, "plain": False, "far": False}
FRIENDS = {"friend": True, "neighbour": False, "alias": True, "plain": False, "far": False}
OTHERS = {name: not passes for name, passes in FRIENDS.items()}

CASES = [
    Case("no policy", (), EVERYBODY),
    Case("allow nothing", (allow(),), NOBODY),
    Case("allow everything", (allow({}),), EVERYBODY),
    Case("deny everything", (deny({}), allow({})), NOBODY),
    Case("on trial", (deny({}, annotations={"istio.io/dry-run": "true"}),), EVERYBODY),
    Case("principals", (allow(from_(principals=["cluster.local/ns/friends/sa/friend"])),), FRIENDS),
    Case("any principal", (allow(from_(principals=["*"])),), MESH),
    Case(
        "principals by prefix", (allow(from_(principals=["cluster.local/ns/friends/*"])),), {**FRIENDS, "alias": False}
    ),
    Case("principals by suffix", (allow(from_(principals=["*/friend"])),), FRIENDS),
    Case("principals of any trust domain", (allow(from_(principals=["*/ns/friends/sa/friend"])),), FRIENDS),
    Case("not principals", (allow(from_(notPrincipals=["cluster.local/ns/friends/sa/friend"])),), OTHERS),
    Case("deny who has no identity", (deny(from_(notPrincipals=["*"])),), MESH),
    Case("namespaces", (allow(from_(namespaces=["friends"])),), FRIENDS),
    Case("namespaces by prefix", (allow(from_(namespaces=["fri*"])),), FRIENDS),
    Case("a part of a namespace", (allow(from_(namespaces=["friend", "riends"])),), NOBODY),
    Case("an expression is no namespace", (allow(from_(namespaces=["f.iends", "friends|default"])),), NOBODY),
    Case("not namespaces", (deny(from_(notNamespaces=["friends"])),), FRIENDS),
    Case("service accounts", (allow(from_(serviceAccounts=["friends/friend"])),), FRIENDS),
    Case(
        "service accounts of the own namespace",
        (allow(from_(serviceAccounts=["neighbour", "friend"])),),
        {**NOBODY, "neighbour": True},
    ),
    Case("a part of a service account", (allow(from_(serviceAccounts=["friends/frien", "friends/riend"])),), NOBODY),
    Case("trust domains", (allow(from_(trustDomains=["cluster.local"])),), MESH),
    Case("foreign trust domains", (allow(from_(trustDomains=["cluster"])),), NOBODY),
    Case("addresses", (allow(from_(ipBlocks=["127.9.0.0/16"])),), {**NOBODY, "far": True}),
    Case("one address", (allow(from_(ipBlocks=["127.9.0.1"])),), {**NOBODY, "far": True}),
    Case("not addresses", (allow(from_(notIpBlocks=["127.0.0.0/16"])),), {**NOBODY, "far": True}),
    Case("IPv4 within IPv6", (deny(from_(ipBlocks=["::ffff:127.0.0.1"])),), {**NOBODY, "far": True}),
    Case("remote addresses", (allow(from_(remoteIpBlocks=["127.9.0.0/16"])),), {**NOBODY, "far": True}),
    Case("source.ip", (allow(when("source.ip", "127.9.0.1")),), {**NOBODY, "far": True}),
    Case("source.principal", (allow(when("source.principal", "cluster.local/ns/friends/sa/friend")),), FRIENDS),
    Case("source.namespace", (allow(when("source.namespace", "friends")),), FRIENDS),
    Case("destination.ip", (allow(when("destination.ip", "127.0.0.0/8")),), EVERYBODY),
    Case("another destination.ip", (allow(when("destination.ip", "10.0.0.0/8")),), NOBODY),
    Case("no such port", (allow(to(ports=["1"])),), NOBODY),
    Case("not that port", (allow(to(notPorts=["1"])),), EVERYBODY),
    Case("methods", (allow(to(methods=["GET"])),), EVERYBODY, NOBODY),
    Case("other methods", (allow(to(methods=["POST"])),), NOBODY),
    Case("deny methods", (deny(to(methods=["POST"])),), EVERYBODY, NOBODY),
    Case("paths", (allow(to(paths=["/"])),), EVERYBODY, NOBODY),
    Case("headers", (deny(when("request.headers[x-a]", "b")),), EVERYBODY, NOBODY),
    Case("one of two rules", (allow(to(ports=["1"]), from_(namespaces=["friends"])),), FRIENDS),
    Case("all of a rule", (allow({**from_(namespaces=["friends"]), **to(ports=["1"])}),), NOBODY),
    Case("denials come first", (allow(from_(namespaces=["friends"])), deny(from_(principals=["*"]))), NOBODY),
    Case("tokens that nobody verifies allow nothing", (allow(from_(requestPrincipals=["*"])),), NOBODY),
    Case("neither do those that are missing", (allow(from_(notRequestPrincipals=["*"])),), NOBODY),
    Case("who has no token is denied", (deny(from_(notRequestPrincipals=["*"])),), NOBODY),
    Case(
        "in a denial tokens count as matched",
        (deny({**from_(namespaces=["friends"]), **when("request.auth.claims[a]", "b")}),),
        OTHERS,
    ),
    Case(
        "extensions that nobody asks",
        (
            {
                "kind": "AuthorizationPolicy",
                "metadata": {"name": "custom"},
                "spec": {"action": "CUSTOM", "provider": {"name": "opa"}, "rules": [when("source.ip", "127.0.0.0/16")]},
            },
        ),
        {**NOBODY, "far": True},
    ),
    Case("selected by labels", (allow(selector={"matchLabels": {"app": "web"}}),), NOBODY),
    Case("not selected", (allow(selector={"matchLabels": {"app": "other"}}),), EVERYBODY),
    Case("of the whole mesh", ({**deny({}), "metadata": {"name": "d", "namespace": "istio-system"}},), NOBODY),
    Case("of another namespace", ({**deny({}), "metadata": {"name": "d", "namespace": "other"}},), EVERYBODY),
]

Requests = dict[str, tuple[dict[str, Any], list[tuple[Ask, int]]]]

REQUESTS: Requests = {
    "exact path": (
        deny(to(paths=["/admin"])),
        [
            (Ask(path="/admin"), 403),
            (Ask(path="/admin?x=1"), 403),
            (Ask(path="/./admin"), 403),
            (Ask(path="/x/../admin"), 403),
            (Ask(path="/x/%2e%2e/admin"), 403),
            (Ask(path="/%61dmin"), 403),
            (Ask(path="\\admin"), 400),
            (Ask(path="/x\\..\\admin"), 403),
            (Ask(path="/admin#x"), 400),
            # Other paths to the proxy, as to the standard of URLs; an application that thinks otherwise is told of in
            # docs/security.md.
            (Ask(path="/admin/"), 200),
            (Ask(path="/ADMIN"), 200),
            (Ask(path="//admin"), 200),
            (Ask(path="/admin;x=1"), 200),
            (Ask(path="/%2Fadmin"), 200),
        ],
    ),
    "path by prefix": (
        allow(to(paths=["/public/*"])),
        [
            (Ask(path="/public/a"), 200),
            (Ask(path="/public/../admin"), 403),
            (Ask(path="/public/%2e%2e/admin"), 403),
            (Ask(path="/public/..%2fadmin"), 200),
            (Ask(path="/publicly"), 403),
        ],
    ),
    "path templates": (
        allow(to(paths=["/v/{*}/users/{**}"])),
        [
            (Ask(path="/v/1/users/a"), 200),
            (Ask(path="/v/1/users/a/b"), 200),
            (Ask(path="/v/1/2/users/a"), 403),
            (Ask(path="/v//users/a"), 403),
            (Ask(path="/v/1/users/../../../admin"), 403),
        ],
    ),
    "methods": (
        deny(to(methods=["DELETE"])),
        [
            (Ask("DELETE"), 403),
            (Ask("GET"), 200),
            (Ask("delete"), 400),
            (Ask("GET", headers=(("x-http-method-override", "DELETE"),)), 200),
        ],
    ),
    "hosts": (
        deny(to(hosts=["secret.example.com", "secret.example.com:*"])),
        [
            (Ask(host="secret.example.com"), 403),
            (Ask(host="SECRET.example.com"), 403),
            (Ask(host="secret.example.com:80"), 403),
            (Ask(host="public.example.com"), 200),
            (Ask(path="http://secret.example.com/", host="public.example.com"), 403),
        ],
    ),
    "headers": (
        deny(when("request.headers[x-role]", "admin")),
        [
            (Ask(headers=(("x-role", "admin"),)), 403),
            (Ask(headers=(("X-ROLE", "admin"),)), 403),
            (Ask(headers=(("x-role", " admin "),)), 403),
            (Ask(headers=(("x-role", "guest"), ("x-role", "admin"))), 403),
            # One value to Envoy, whatever an application makes of it (docs/security.md).
            (Ask(headers=(("x-role", "guest,admin"),)), 200),
            (Ask(headers=(("x-role", "Admin"),)), 200),
            (Ask(), 200),
        ],
    ),
    "header present": (
        allow(when("request.headers[x-role]", "*")),
        [
            (Ask(headers=(("x-role", "a"),)), 200),
            (Ask(headers=(("x-role", ""),)), 200),
            (Ask(headers=(("x-role", "a"), ("x-role", "b"))), 200),
            (Ask(), 403),
        ],
    ),
    "the peer's header is not the peer": (
        allow(from_(principals=["*"])),
        [(Ask(headers=(("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/a/sa/b"),)), 403)],
    ),
    "original client": (
        deny(from_(remoteIpBlocks=["10.0.0.0/8"])),
        [
            (Ask(headers=(("x-forwarded-for", "10.1.1.1"),)), 403),
            (Ask(headers=(("x-forwarded-for", "10.1.1.1, 192.0.2.1"),)), 200),
            (Ask(headers=(("x-forwarded-for", "192.0.2.1, 10.1.1.1"),)), 403),
        ],
    ),
    "the connection's address cannot be claimed": (
        allow(from_(ipBlocks=["10.0.0.0/8"])),
        [(Ask(headers=(("x-forwarded-for", "10.1.1.1"),)), 403)],
    ),
}


LOGGED = "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%"


class Greeter:
    """An application that speaks first, and keeps what it hears."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.heard: list[bytes] = []

    def __enter__(self) -> Greeter:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection, contextlib.suppress(OSError):
                    connection.sendall(b"welcome\n")
                    while said := connection.recv(100):
                        self.heard.append(said)


class Guarded:
    def __init__(self, guards: Guards, envoy: RunningEnvoy, addresses: dict[str, str], log: Path) -> None:
        self.guards = guards
        self.envoy = envoy
        self.addresses = addresses
        self.log = log


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    worlds = {f"case {case.name}": case.policies for case in CASES}
    worlds |= {f"requests {name}": (given,) for name, (given, _) in REQUESTS.items()}
    worlds |= {
        "strict": (allow(from_(namespaces=["friends"])),),
        "names": (allow(when("connection.sni", "*.Example.com")),),
        "own ports": (),
        "logged": (allow(from_(namespaces=["friends"])), deny(from_(principals=["*"]), name="no")),
    }
    addresses = {name: f"127.0.{201 + number // 250}.{number % 250 + 1}" for number, name in enumerate(worlds)}
    config = f"{WITHOUT_METRICS}trustDomainAliases: [old]\n"
    log = tmp_path_factory.mktemp("log") / "access"
    formatted = f"{config}accessLogFile: {log}\naccessLogFormat: |\n  {LOGGED}\n"
    with Guards(tmp_path_factory.mktemp("guards")) as guards:
        worlds["own ports"] = (allow(to(ports=[str(guards.http_port)])),)
        held = [
            guards.workload(
                given,
                addresses[name],
                config=formatted if name == "logged" else config,
                mode="STRICT" if name in ("strict", "names") else "PERMISSIVE",
            )
            for name, given in worlds.items()
        ]
        with RunningEnvoy(static_bootstrap(*held)) as envoy:
            envoy.until(lambda: len(envoy.addresses()) >= 2 * len(worlds), "all listeners listen", 60)
            yield Guarded(guards, envoy, addresses, log)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_who_gets_through(guarded: Guarded, case: Case) -> None:
    at = guarded.addresses[f"case {case.name}"]
    found = {name: guarded.guards.ask(at, caller, Ask()).status == 200 for name, caller in CALLERS.items()}
    assert found == case.passes
    streams = {name: guarded.guards.echoes(at, caller) for name, caller in CALLERS.items()}
    assert streams == (case.passes if case.streams is None else case.streams)


@pytest.mark.parametrize("name", list(REQUESTS))
def test_which_requests_get_through(guarded: Guarded, name: str) -> None:
    expected = [(ask, status) for ask, status in REQUESTS[name][1]]
    assert [
        (ask, guarded.guards.ask(guarded.addresses[f"requests {name}"], PLAIN, ask).status) for ask, _ in expected
    ] == expected


def test_ports(guarded: Guarded) -> None:
    at = guarded.addresses["own ports"]
    assert guarded.guards.ask(at, PLAIN, Ask()).status == 200
    assert not guarded.guards.echoes(at, PLAIN)


def test_refusals_say_so(guarded: Guarded) -> None:
    with guarded.guards.connect(
        (guarded.addresses["case allow nothing"], guarded.guards.http_port), PLAIN, ()
    ) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n")
        said = b"".join(iter(lambda: stream.recv(4096), b"")).decode()
    assert said.startswith("HTTP/1.1 403 Forbidden\r\n")
    assert said.endswith("\r\n\r\nRBAC: access denied")


def test_refused_connections_are_closed_without_a_word(guarded: Guarded) -> None:
    with guarded.guards.connect(
        (guarded.addresses["case allow nothing"], guarded.guards.tcp_port), PLAIN, ()
    ) as stream:
        stream.sendall(b"hello\n")
        with contextlib.suppress(ConnectionResetError):
            assert stream.recv(100) == b""
    stats = guarded.envoy.stats("rbac")
    assert stats["tcp.rbac.denied"] > 0
    assert any(name.endswith("rbac.denied") and value for name, value in stats.items() if name.startswith("http."))


def test_plain_text_does_not_reach_a_policy_where_identities_are_demanded(guarded: Guarded) -> None:
    at = guarded.addresses["strict"]
    assert guarded.guards.ask(at, FRIEND, Ask()).status == 200
    assert guarded.guards.ask(at, NEIGHBOUR, Ask()).status == 403
    assert guarded.guards.echoes(at, FRIEND)
    assert not guarded.guards.echoes(at, NEIGHBOUR)
    with pytest.raises(OSError):
        guarded.guards.ask(at, PLAIN, Ask())


def test_nothing_of_a_refused_client_reaches_a_server_that_speaks_first(tmp_path: Path) -> None:
    """Who has an identity of the mesh may hear its greeting (docs/security.md); who has none is not let in at all."""
    address = "127.0.203.1"
    policies = [allow(from_(namespaces=["friends"]))]
    with Guards(tmp_path) as guards, Greeter() as greeter:
        world = guards.workload(policies, address, mode="STRICT", stream=greeter.port)
        with RunningEnvoy(static_bootstrap(world)) as envoy:
            envoy.until(lambda: len(envoy.addresses()) >= 2, "all listeners listen")
            to = (address, guards.tcp_port)
            with guards.connect(to, NEIGHBOUR, ("istio",)) as stream, contextlib.suppress(ConnectionError):
                stream.sendall(b"from a neighbour\n")
                assert set(iter(lambda: stream.recv(100), b"")) <= {b"welcome\n"}
            with guards.connect(to, PLAIN, ()) as stream, contextlib.suppress(ConnectionError):
                stream.sendall(b"from nobody\n")
                assert stream.recv(100) == b""
            with guards.connect(to, FRIEND, ("istio",)) as stream:
                stream.sendall(b"from a friend\n")
                assert stream.recv(100) == b"welcome\n"
                envoy.until(lambda: greeter.heard, "the friend is heard")
    assert greeter.heard == [b"from a friend\n"]


def test_access_logs_say_which_rule_refused(guarded: Guarded) -> None:
    at = guarded.addresses["logged"]
    guarded.guards.ask(at, PLAIN, Ask())
    guarded.guards.ask(at, NEIGHBOUR, Ask())
    guarded.guards.echoes(at, NEIGHBOUR)

    def lines() -> set[str]:
        return set(guarded.log.read_text().splitlines()) if guarded.log.exists() else set()

    expected = {
        "403 rbac_access_denied_matched_policy[none] -",
        "403 rbac_access_denied_matched_policy[ns[default]-policy[no]-rule[0]] -",
        "0 - rbac_access_denied_matched_policy[ns[default]-policy[no]-rule[0]]",
    }
    guarded.envoy.until(lambda: expected <= lines(), "all is logged")


@pytest.mark.parametrize(
    ("name", "passes"), [("a.example.com", True), ("A.EXAMPLE.COM", True), ("example.com", False), ("", False)]
)
def test_server_names(guarded: Guarded, name: str, passes: bool) -> None:
    caller = FRIEND._replace(server_name=name)
    at = guarded.addresses["names"]
    assert guarded.guards.echoes(at, caller) == passes
    assert (guarded.guards.ask(at, caller, Ask()).status == 200) == passes


def test_a_certificate_of_another_authority_is_nobody(guarded: Guarded, tmp_path: Path) -> None:
    pair = Authority("impostor").issue(FRIEND.identity)
    for name, content in (("crt", pair.certificate), ("key", pair.key)):
        (tmp_path / name).write_text(content)
    context = ssl.create_default_context(cadata=guarded.guards.authority.root)
    context.check_hostname = False
    context.set_alpn_protocols(["istio-http/1.1", "istio"])
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    plain = socket.create_connection((guarded.addresses["strict"], guarded.guards.http_port), timeout=60)
    with plain, pytest.raises((ssl.SSLError, ConnectionError)):
        refused(context, plain)


def refused(context: ssl.SSLContext, plain: socket.socket) -> None:
    """TLS 1.3 tells of a refused certificate with the first answer."""
    with context.wrap_socket(plain) as secure:
        secure.sendall(b"GET / HTTP/1.1\r\nhost: web\r\n\r\n")
        secure.recv(100)
