"""Where each key, certificate and kubeconfig of a cluster is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lateen.cluster.layout import Layout


@dataclass(frozen=True, slots=True)
class PairPath:
    """A certificate (followed by nothing: all are issued by the CA directly) and its private key, both PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class PkiPaths:
    """File names follow kubeadm where kubeadm has one."""

    layout: Layout

    def _pair(self, name: str) -> PairPath:
        return PairPath(self.layout.pki / f"{name}.crt", self.layout.pki / f"{name}.key")

    @property
    def ca(self) -> PairPath:
        return self._pair("ca")

    @property
    def apiserver(self) -> PairPath:
        """The API server's serving certificate."""
        return self._pair("apiserver")

    @property
    def apiserver_kubelet_client(self) -> PairPath:
        """What the API server presents to kubelets."""
        return self._pair("apiserver-kubelet-client")

    @property
    def service_account_key(self) -> Path:
        """RSA private key that signs ServiceAccount tokens."""
        return self.layout.pki / "sa.key"

    @property
    def service_account_public_key(self) -> Path:
        return self.layout.pki / "sa.pub"

    def client(self, name: str) -> PairPath:
        """A client certificate that a kubeconfig embeds; `name` is the kubeconfig's (`admin`, a node's name)."""
        return self._pair(f"{name}-client")

    def kubelet_serving(self, number: int) -> PairPath:
        """What node `number` presents on its own HTTPS port."""
        return self._pair(f"{self.layout.node(number).name}-serving")

    def kubeconfig(self, name: str) -> Path:
        return self.layout.kubeconfigs / f"{name}.conf"
