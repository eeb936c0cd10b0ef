"""What a template may depend on, and what the pod says in its annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.mesh.proxy_config import ProxyConfig
from lateen.injection.go_template.template import Template
from lateen.injection.names import PROXY, PROXY_ID
from lateen.injection.pod_settings import PodSettings
from lateen.injection.values import Values
from lateen.injection.workload import Workload


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One pod and everything that counts for it."""

    pod: Mapping[str, Any]
    """Without what an earlier injection added."""
    workload: Workload
    mesh: MeshConfig
    proxy: ProxyConfig
    """Of the mesh, overridden by what selects the pod and by its annotation."""
    settings: PodSettings
    values: Values
    raw_values: Mapping[str, Any] = {}
    """The values as written, for users' templates."""
    search_domains: tuple[Template, ...] = ()
    """DNS search domains of the installation."""
    native: bool = True
    """The proxy is a native sidecar: an init container that keeps running."""
    user: int = PROXY_ID
    group: int = PROXY_ID
    cluster: str = ""
    """Names the cluster; `Kubernetes` when empty."""
    network: str = ""

    @property
    def labels(self) -> Mapping[str, str]:
        return (self.pod.get("metadata") or {}).get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return (self.pod.get("metadata") or {}).get("annotations") or {}

    @property
    def containers(self) -> tuple[Mapping[str, Any], ...]:
        return tuple((self.pod.get("spec") or {}).get("containers") or ())

    @property
    def app_containers(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(each for each in self.containers if each.get("name") != PROXY)
