"""A mesh seen by an attacker: a namespace with proxies and one without, and what is tried in pods of either."""

from __future__ import annotations

import json
import sys
from typing import Any, Final, NamedTuple

from lateen.testing.local_mesh import LocalMesh

ISTIOD: Final = "istiod.istio-system.svc"
PROXY: Final = "istio-proxy"
TOKEN: Final = "/var/run/secrets/tokens/istio-token"
API_TOKEN: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
TYPES: Final = {
    "clusters": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "secrets": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
}


class Scene(NamedTuple):
    """`guarded` has proxies, `outside` has none; in both there is the sample curl."""

    mesh: LocalMesh
    guarded: str
    outside: str
    roots: str

    def pods(self) -> list[tuple[str, str, str]]:
        """Everything of ours that runs: namespace, target and container."""
        found = [("istio-system", "deploy/istiod", "discovery")]
        found += [("istio-system", f"deploy/istio-{name}gateway", PROXY) for name in ("ingress", "egress")]
        return found + [(self.guarded, f"deploy/{name}", PROXY) for name in ("httpbin", "curl")]

    def attempts(self, namespace: str, *attempts: dict[str, Any], target: str = "deploy/curl") -> list[dict[str, Any]]:
        """What came of attempts made in a pod of the namespace."""
        told = self.mesh.kubectl(
            "exec", "-i", "-n", namespace, target, "-c", "curl", "--", sys.executable, "-I", "-m",
            "lateen.testing.impostor", stdin=json.dumps(attempts), timeout=120,
        )  # fmt: skip
        found: list[dict[str, Any]] = json.loads(told)
        return found

    def certificate(self, **given: Any) -> dict[str, Any]:
        return {"try": "certificate", "host": ISTIOD, "port": 15012, "roots": self.roots, **given}

    def configuration(self, namespace: str, name: str, **given: Any) -> dict[str, Any]:
        """An attempt to have the configuration of a workload."""
        metadata = {"NAMESPACE": namespace, **given.pop("metadata", {})}
        node = f"{given.pop('role', 'sidecar')}~10.0.0.9~{name}.{namespace}~{namespace}.svc.cluster.local"
        return {
            "try": "configuration", "host": ISTIOD, "port": 15012, "roots": self.roots, "node": node,
            "metadata": metadata, "type": TYPES["clusters"], **given,
        }  # fmt: skip

    def read(self, deployment: str, path: str, container: str = PROXY) -> str:
        """A file in a container of the guarded namespace."""
        return self.mesh.exec(self.guarded, f"deploy/{deployment}", container, "cat", path).strip()

    def address(self, deployment: str) -> str:
        pod = self.mesh.pod(self.guarded, f"app={deployment}")
        return str(self.mesh.get("pod", pod, "-n", self.guarded)["status"]["podIP"])
