"""Istio's page on the migration to mutual TLS, typed line by line: permissive, one namespace strict, all strict."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lateen.testing.local_mesh import LocalMesh

NAMESPACES = ("foo", "bar", "legacy")
WHO_REACHES_WHOM = """
for from in "foo" "bar" "legacy"; do for to in "foo" "bar"; do
  kubectl exec "$(kubectl get pod -l app=curl -n ${from} -o jsonpath={.items..metadata.name})" -c curl -n ${from} \
    -- curl http://httpbin.${to}:8000/ip -s -o /dev/null -w "curl.${from} to httpbin.${to}: %{http_code}\\n" || true
done; done
"""
STRICT = """kubectl apply -n %s -f - <<EOF
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: default
spec:
  mtls:
    mode: STRICT
EOF
"""
PATHS = [(source, target) for source in NAMESPACES for target in ("foo", "bar")]


def _codes(**closed: tuple[str, ...]) -> list[str]:
    """What the loop prints when `closed` names, for a client's namespace, the servers' that it does not reach."""
    return [
        f"curl.{source} to httpbin.{target}: {'000' if target in closed.get(source, ()) else '200'}"
        for source, target in PATHS
    ]


@pytest.fixture
def migration(mesh: LocalMesh) -> Iterator[LocalMesh]:
    try:
        for name in ("foo", "bar"):
            mesh.shell(f"kubectl create ns {name}")
            for sample in ("samples/httpbin/httpbin.yaml", "samples/curl/curl.yaml"):
                mesh.shell(f"kubectl apply -f <(istioctl kube-inject -f {sample}) -n {name}")
        mesh.shell("kubectl create ns legacy")
        mesh.shell("kubectl apply -f samples/curl/curl.yaml -n legacy")
        for name in NAMESPACES:
            mesh.until_available(name)
        yield mesh
    finally:
        mesh.shell("kubectl delete peerauthentication -n istio-system default --ignore-not-found")
        mesh.shell(f"kubectl delete ns {' '.join(NAMESPACES)} --wait=false --ignore-not-found")


def _reach(mesh: LocalMesh) -> list[str]:
    return mesh.shell(WHO_REACHES_WHOM).splitlines()


def _until_legacy_gets(mesh: LocalMesh, code: str, target: str) -> None:
    """Waits until what was applied has reached the server's proxy."""
    ask = f"kubectl exec deploy/curl -c curl -n legacy -- curl -s -o /dev/null -w '%{{http_code}}' http://httpbin.{target}:8000/ip"
    mesh.until(lambda: mesh.shell(f"{ask} || true") == code, f"{code} from httpbin.{target}")


def test_from_permissive_to_strict(migration: LocalMesh) -> None:
    # Endpoints of pods reach the callers' proxies a moment after those are ready.
    migration.until(lambda: _reach(migration) == _codes(), "everybody reaches everybody")
    none = migration.shell("kubectl get peerauthentication,destinationrule -n foo 2>&1")
    assert "No resources found" in none

    def certificate(source: str) -> list[str]:
        said = migration.exec(source, "deploy/curl", "curl", "curl", "-s", "http://httpbin.foo:8000/headers")
        found = json.loads(said)["headers"].get("X-Forwarded-Client-Cert", [])
        assert isinstance(found, list)
        return found

    told = certificate("bar")[0]
    assert told.startswith("By=spiffe://cluster.local/ns/foo/sa/httpbin;")
    assert "URI=spiffe://cluster.local/ns/bar/sa/curl" in told
    assert certificate("legacy") == [], "plain text is let in, and shows no identity"

    migration.shell(STRICT % "foo")
    _until_legacy_gets(migration, "000", "foo")
    assert _reach(migration) == _codes(legacy=("foo",))
    migration.shell(STRICT % "istio-system")
    _until_legacy_gets(migration, "000", "bar")
    assert _reach(migration) == _codes(legacy=("foo", "bar"))
    migration.shell("kubectl delete peerauthentication -n istio-system default")
    _until_legacy_gets(migration, "200", "bar")
    assert _reach(migration) == _codes(legacy=("foo",))
