"""Keys stay where they are used: they are in no file, log, dump or object that others can read."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator

import pytest

from lateen.testing.attack_scene import PROXY, Scene
from lateen.testing.certificates import Authority, tls_secret

SECRETS = ("istio-ca-secret", "guarded-certificate")
"""Where keys are meant to be."""
HIDDEN = ("[redacted]", base64.b64encode(b"[redacted]").decode())
"""What dumps show instead of a key."""


_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4}){50,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def _keys(text: str) -> set[str]:
    """The private keys (PEM) in a text, as they are or as bytes in JSON."""
    decoded = (base64.b64decode(each).decode("ascii", "replace") for each in _BASE64.findall(text))
    return {key for each in (text.replace("\\n", "\n"), *decoded) for key in _PEM.findall(each)}


def _traces(key: str) -> list[str]:
    """What gives a key away wherever it is: its lines, and how these look in base64, wherever in a text they are."""
    body = key.splitlines()[1:-1]
    text = "\n".join(body).encode()
    return [line for line in body if len(line) > 20] + [
        base64.b64encode(b"." * shift + text).decode()[80:140] for shift in range(3)
    ]


GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: guarded, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [guarded.example.com]
    tls: {mode: SIMPLE, credentialName: guarded-certificate}
"""


@pytest.fixture
def gateway_key(scene: Scene) -> Iterator[set[str]]:
    """The key with which the ingress gateway serves a host, once it does."""
    pair, mesh = Authority("shop").issue("guarded.example.com"), scene.mesh
    mesh.apply(GATEWAY)
    mesh.apply(json.dumps(tls_secret("guarded-certificate", pair)))
    deployment = "deploy/istio-ingressgateway.istio-system"
    mesh.until(lambda: "guarded-certificate" in mesh.command("proxy-config", "secret", deployment), "the Secret")
    yield _keys(pair.key)
    mesh.kubectl("delete", "gateway.networking.istio.io/guarded", "secret/guarded-certificate", "-n", "istio-system")


def test_keys_stay_in_memory_of_their_pod_and_nobody_is_told_them(scene: Scene, gateway_key: set[str]) -> None:
    mesh, keys = scene.mesh, set[str]()
    look = (
        "d=/etc/istio/proxy; stat -f -c %T $d; find $d -type f -printf '%m %U:%G %p\\n'; echo; "
        "cat $d/sds/default.yaml; ls /var/lib/istio/data /var/run/secrets/workload-spiffe-credentials"
    )
    for namespace, target, container in scene.pods()[1:]:
        listed, _, contents = mesh.exec(namespace, target, container, "sh", "-c", look).partition("\n\n")
        system, *files = listed.splitlines()
        assert system == "tmpfs"
        assert any(each.endswith("/sds/default.yaml") for each in files)
        assert all(each.startswith("600 1337:1337 ") for each in files), files
        own = _keys(contents)
        assert len(own) == 1, "there is a key to look for"
        keys |= own
    look = "cd /tmp/lateen-front-*; stat -f -c %T .; stat -c '%a %u' . *.json; cat serving.json"
    system, *modes = mesh.exec("istio-system", "deploy/istiod", "discovery", "sh", "-c", look).splitlines()
    assert system == "tmpfs"
    assert modes[0] in ("2700 1337", "700 1337")
    keys |= _keys("\n".join(modes))
    keys |= gateway_key
    authority = mesh.get("secret", "istio-ca-secret", "-n", "istio-system")["data"]
    keys |= _keys(base64.b64decode(authority["ca-key.pem"]).decode())
    assert len(keys) == 7
    traces = [trace for key in keys for trace in _traces(key)]
    mounted = mesh.exec(
        scene.guarded, "deploy/httpbin", "httpbin", "sh", "-c", "cat /proc/mounts; ls /etc/istio || true"
    )
    assert "istio" not in mounted, "the application has none of the proxy's files"

    said: dict[str, str] = {}
    for namespace, target, container in scene.pods():
        said[f"log of {target}"] = mesh.kubectl("logs", "-n", namespace, target, "-c", container)
        said[f"processes of {target}"] = mesh.exec(
            namespace, target, container, "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'"
        )
    ingress = mesh.pod("istio-system", "app=istio-ingressgateway")
    proxies = (f"{mesh.pod(scene.guarded, 'app=httpbin')}.{scene.guarded}", f"{ingress}.istio-system")
    pages = " ".join(f"'localhost:15014{page}?proxyID={proxy}'" for page in mesh.debug("list") for proxy in proxies)
    said["/debug"] = mesh.exec("istio-system", "deploy/istiod", "discovery", "sh", "-c", f"curl -sS {pages}")
    admin = ("certs", "config_dump?include_eds", "init_dump?mask=secret", "server_info", "clusters", "stats", "runtime")
    for name, namespace in (proxy.rsplit(".", 1) for proxy in proxies):
        ask = "curl -sS " + " ".join(f"'localhost:15000/{page}'" for page in admin)
        said[f"admin interface of {name}"] = mesh.exec(namespace, name, PROXY, "sh", "-c", ask)
        for what in ("secret", "all"):
            told = mesh.command("proxy-config", what, f"{name}.{namespace}", "-o", "json")
            said[f"proxy-config {what} {name}"] = told
        for place in ("/debug", f"admin interface of {name}", f"proxy-config secret {name}"):
            assert any(hidden in said[place] for hidden in HIDDEN), place
    assert "guarded-certificate" in said[f"proxy-config secret {ingress}"]
    kinds = "events,pods,configmaps,deployments,leases,mutatingwebhookconfigurations,validatingwebhookconfigurations"
    said["objects"] = mesh.kubectl("get", kinds, "-A", "-o", "json")
    others = [each for each in mesh.get("secrets", "-A")["items"] if each["metadata"]["name"] not in SECRETS]
    said["other Secrets"] = json.dumps(others)
    for place, text in said.items():
        assert "PRIVATE KEY-----" not in text, place
        assert "PRIVATE KEY-----" not in "".join(_keys(text)), place
        assert not [trace for trace in traces if trace in text], place
