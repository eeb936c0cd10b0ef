"""networking.istio.io ProxyConfig (istio.networking.v1beta1): settings of single proxies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from lateen.api.schema.message import Message
from lateen.api.type.selector import WorkloadSelector


class ProxyImage(Message):
    """The proxy's image."""

    image_type: str = ""
    """A variant: `default`, `debug` or `distroless`."""


class ProxyConfig(Message):
    """Settings of proxies that are read when a proxy starts; a change needs a restart of the workload."""

    selector: WorkloadSelector | None = None
    """The workloads; all of the namespace if not set, all of the mesh in the root namespace."""
    concurrency: Annotated[int, Meta(ge=0, le=2147483647)] | None = None
    """Worker threads. 0 uses what CPU limits, requests or cores allow. Default 2."""
    environment_variables: Annotated[dict[str, Annotated[str, Meta(max_length=2048)]], Meta(max_length=1024)] = {}
    """Further environment variables of the proxy."""
    image: ProxyImage | None = None
    """The proxy's image."""
