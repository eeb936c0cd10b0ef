"""Istio's pages on ingress, typed line by line: a host over HTTP, then over HTTPS with certificates from Secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lateen.testing.local_cluster import CommandFailed
from lateen.testing.local_mesh import LocalMesh

INGRESS = """
export INGRESS_HOST=$(kubectl -n istio-system get service istio-ingressgateway \
  -o jsonpath='{.status.loadBalancer.ingress[0].ip}')
export INGRESS_PORT=$(kubectl -n istio-system get service istio-ingressgateway \
  -o jsonpath='{.spec.ports[?(@.name=="http2")].port}')
export SECURE_INGRESS_PORT=$(kubectl -n istio-system get service istio-ingressgateway \
  -o jsonpath='{.spec.ports[?(@.name=="https")].port}')
"""
HTTP_GATEWAY = """kubectl apply -n %s -f - <<EOF
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: httpbin-gateway
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 80
      name: http
      protocol: HTTP
    hosts:
    - "httpbin.example.com"
EOF
"""
TLS_GATEWAY = """kubectl apply -n %s -f - <<EOF
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: mygateway
spec:
  selector:
    istio: ingressgateway
  servers:
%sEOF
"""
SERVER = """  - port:
      number: 443
      name: https-{name}
      protocol: HTTPS
    tls:
      mode: {mode}
      credentialName: {name}-credential
    hosts:
    - {name}.example.com
"""
HTTPBIN_ROUTE = """kubectl apply -n %s -f - <<EOF
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: httpbin
spec:
  hosts:
  - "httpbin.example.com"
  gateways:
  - %s
  http:
  - match:
    - uri:
        prefix: /status
    - uri:
        prefix: /delay
    route:
    - destination:
        port:
          number: 8000
        host: httpbin
EOF
"""
HELLO_ROUTE = """kubectl apply -n %s -f - <<EOF
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: helloworld
spec:
  hosts:
  - helloworld.example.com
  gateways:
  - mygateway
  http:
  - match:
    - uri:
        exact: /hello
    route:
    - destination:
        host: helloworld
        port:
          number: 5000
EOF
"""
ROOT = """
mkdir {d}
openssl req -x509 -sha256 -nodes -days 365 -newkey rsa:2048 -subj '/O=example Inc./CN=example.com' \
  -keyout {d}/example.com.key -out {d}/example.com.crt
"""
LEAF = """
openssl req -out {d}/{name}.example.com.csr -newkey rsa:2048 -nodes -keyout {d}/{name}.example.com.key \
  -subj "/CN={name}.example.com/O={name} organization"
openssl x509 -req -sha256 -days 365 -CA {d}/example.com.crt -CAkey {d}/example.com.key -set_serial {serial} \
  -in {d}/{name}.example.com.csr -out {d}/{name}.example.com.crt
"""
# Words of curl and its library, of some versions.
OTHER_ROOT = "rsa routines|certificate signature failure|certificate verify failed|SSL certificate problem"
NO_CERTIFICATE = "certificate required|handshake failure|bad certificate"


class Entrance:
    """The ingress gateway from outside, with httpbin behind it and certificates for its hosts."""

    def __init__(self, mesh: LocalMesh, namespace: str, directory: Path) -> None:
        self.mesh = mesh
        self.namespace = namespace
        self.first, self.second = directory / "example_certs1", directory / "example_certs2"

    def head(self, path: str) -> str:
        """Status line and headers of an answer over HTTP."""
        return self.mesh.shell(
            INGRESS + f'curl -s -I -HHost:httpbin.example.com "http://$INGRESS_HOST:$INGRESS_PORT{path}"'
        )

    def secure(self, host: str, path: str, trusted: Path, *options: str) -> str:
        """All that curl tells of an answer over HTTPS. Raises CommandFailed when there is none."""
        return self.mesh.shell(
            INGRESS
            + f'curl -v -s --max-time 30 -HHost:{host} --resolve "{host}:$SECURE_INGRESS_PORT:$INGRESS_HOST" '
            + f"--cacert {trusted}/example.com.crt {' '.join(options)} "
            + f'"https://{host}:$SECURE_INGRESS_PORT{path}" 2>&1'
        )

    def until(self, shown: str, host: str, path: str, trusted: Path, *options: str) -> str:
        return self.mesh.until(
            lambda: told if shown in (told := self.secure(host, path, trusted, *options)) else "",
            f"{shown} from https://{host}{path}",
        )

    def until_refused(self, words: str, host: str, path: str, trusted: Path) -> None:
        """Waits until a handshake fails for that reason."""

        def look() -> bool:
            try:
                self.secure(host, path, trusted)
            except CommandFailed as error:
                return re.search(words, str(error)) is not None
            return False

        self.mesh.until(look, f"a handshake for {host} that fails: {words}")

    def credential(self, name: str, directory: Path) -> None:
        self.mesh.shell(
            f"kubectl create -n istio-system secret tls {name}-credential "
            f"--key={directory}/{name}.example.com.key --cert={directory}/{name}.example.com.crt"
        )

    def forget(self, name: str) -> None:
        self.mesh.shell(f"kubectl -n istio-system delete secret {name}-credential")


@pytest.fixture
def entrance(mesh: LocalMesh, room: str, tmp_path: Path) -> Iterator[Entrance]:
    found = Entrance(mesh, room, tmp_path)
    mesh.shell(f"kubectl apply -n {room} -f samples/httpbin/httpbin.yaml")
    mesh.until_available(room)
    yield found
    mesh.shell("kubectl -n istio-system delete secret httpbin-credential helloworld-credential --ignore-not-found")


def test_a_host_over_http(entrance: Entrance) -> None:
    mesh, room = entrance.mesh, entrance.namespace
    mesh.shell(HTTP_GATEWAY % room)
    mesh.shell(HTTPBIN_ROUTE % (room, "httpbin-gateway"))
    told = mesh.until(
        lambda: told if (told := entrance.head("/status/200")).startswith("HTTP/1.1 200 OK") else "", "200 for the host"
    )
    assert "server: istio-envoy" in told
    assert entrance.head("/headers").startswith("HTTP/1.1 404 Not Found"), "no route leads there"
    other = mesh.shell(
        INGRESS
        + 'curl -s -o /dev/null -w "%{http_code}" -HHost:other.example.com "http://$INGRESS_HOST:$INGRESS_PORT/status/200"'
    )
    assert other == "404"


def test_hosts_over_https(entrance: Entrance) -> None:
    mesh, room = entrance.mesh, entrance.namespace
    first, second = entrance.first, entrance.second
    for directory in (first, second):
        mesh.shell(ROOT.format(d=directory) + LEAF.format(d=directory, name="httpbin", serial=0))
    mesh.shell(LEAF.format(d=first, name="helloworld", serial=1) + LEAF.format(d=first, name="client", serial=1))
    teapot = ("httpbin.example.com", "/status/418")

    # One host.
    entrance.credential("httpbin", first)
    mesh.shell(TLS_GATEWAY % (room, SERVER.format(name="httpbin", mode="SIMPLE")))
    mesh.shell(HTTPBIN_ROUTE % (room, "mygateway"))
    told = entrance.until("HTTP/2 418", *teapot, first)
    assert "teapot" in told

    # Another certificate in the Secret: the one of before is gone.
    entrance.forget("httpbin")
    entrance.credential("httpbin", second)
    entrance.until("HTTP/2 418", *teapot, second)
    entrance.until_refused(OTHER_ROOT, *teapot, first)

    # Several hosts on one port, told apart by their names.
    entrance.forget("httpbin")
    entrance.credential("httpbin", first)
    mesh.shell(f"kubectl apply -n {room} -f samples/helloworld/helloworld.yaml -l service=helloworld")
    mesh.shell(f"kubectl apply -n {room} -f samples/helloworld/helloworld.yaml -l version=v1")
    entrance.credential("helloworld", first)
    servers = SERVER.format(name="httpbin", mode="SIMPLE") + SERVER.format(name="helloworld", mode="SIMPLE")
    mesh.shell(TLS_GATEWAY % (room, servers))
    mesh.shell(HELLO_ROUTE % room)
    mesh.until_available(room)
    assert "Hello version: v1" in entrance.until("HTTP/2 200", "helloworld.example.com", "/hello", first)
    entrance.until("HTTP/2 418", *teapot, first)

    # A client that has to show a certificate.
    entrance.forget("httpbin")
    files = ("tls.key=httpbin.example.com.key", "tls.crt=httpbin.example.com.crt", "ca.crt=example.com.crt")
    sources = " ".join(f"--from-file={file.replace('=', f'={first}/')}" for file in files)
    mesh.shell(f"kubectl create -n istio-system secret generic httpbin-credential {sources}")
    mesh.shell(TLS_GATEWAY % (room, SERVER.format(name="httpbin", mode="MUTUAL")))
    entrance.until_refused(NO_CERTIFICATE, *teapot, first)
    client = ("--cert", f"{first}/client.example.com.crt", "--key", f"{first}/client.example.com.key")
    entrance.until("HTTP/2 418", *teapot, first, *client)
