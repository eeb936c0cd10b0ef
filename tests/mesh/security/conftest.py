"""What must not be had: keys, privileges, identities of others, and ways around a policy. From inside of real pods.

What any mesh of sidecars leaves open is told in docs/security.md, "What the mesh does not protect from".
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lateen.testing.attack_scene import Scene
from lateen.testing.local_mesh import LocalMesh

STRICT = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
"""


@pytest.fixture(scope="package")
def scene(mesh: LocalMesh) -> Iterator[Scene]:
    guarded, outside = mesh.namespace(), mesh.namespace()
    mesh.label_for_injection(guarded)
    mesh.apply(STRICT, "-n", guarded)
    for sample in ("httpbin/httpbin.yaml", "curl/curl.yaml"):
        mesh.shell(f"kubectl apply -n {guarded} -f samples/{sample}")
    mesh.shell(f"kubectl apply -n {outside} -f samples/curl/curl.yaml")
    for namespace in (guarded, outside):
        mesh.until_available(namespace)
    roots = mesh.get("configmap", "istio-ca-root-cert", "-n", outside)["data"]["root-cert.pem"]
    yield Scene(mesh, guarded, outside, roots)
    mesh.kubectl("delete", "namespace", guarded, outside, "--wait=false")
