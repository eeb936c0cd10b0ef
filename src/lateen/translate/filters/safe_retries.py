"""Another try for requests without side effects whose server was lost before it answered.

Envoy's conditions for retries (`reset` among them) are the same for all methods of a route, but a request may add to
them by a header, which Envoy takes off again. One filter of the listener sets it, rather than each route: a CEL
expression in every one of a thousand routes would cost Envoy 4 kB and 0.1 ms each.
"""

from __future__ import annotations

from typing import Any, Final

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2

NAME: Final = "lateen.safe_retries"
_RESET_OF_SAFE_METHODS: Final = '%CEL(request.method in ["GET", "HEAD", "OPTIONS"] ? "reset" : "")%'
"""Empty for other methods (RFC 9110, 9.2.1), and with it the header absent."""


def safe_retries() -> Any:
    """The filter's configuration, a HeaderMutation. What the application itself asks for is left as it is."""
    config = header_mutation_pb2.HeaderMutation()
    option = config.mutations.request_mutations.add().append
    option.header.key, option.header.value = "x-envoy-retry-on", _RESET_OF_SAFE_METHODS
    option.append_action = base_pb2.HeaderValueOption.ADD_IF_ABSENT
    return config


def without_safe_retries(route: Any) -> None:
    """Turns the filter off for a Route: where retries are off, or somebody has said on what to retry."""
    route.typed_per_filter_config[NAME].Pack(route_components_pb2.FilterConfig(disabled=True))
