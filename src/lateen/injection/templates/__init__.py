"""The templates that are part of the program: from a context to what is merged over the pod."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lateen.injection.context import Context
from lateen.injection.templates.gateway import gateway
from lateen.injection.templates.grpc_agent import grpc_agent
from lateen.injection.templates.grpc_simple import grpc_simple
from lateen.injection.templates.sidecar import sidecar

BUILT_IN: Final[Mapping[str, Callable[[Context], dict[str, Any]]]] = {
    "sidecar": sidecar,
    "gateway": gateway,
    "grpc-agent": grpc_agent,
    "grpc-simple": grpc_simple,
}
"""By name; a template of the same name in the ConfigMap counts over them."""
