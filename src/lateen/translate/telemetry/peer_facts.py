"""Who calls: the facts of a client's certificate, kept for the time of the connection."""

from __future__ import annotations

from typing import Any, Final

from envoy.extensions.filters.common.set_filter_state.v3 import value_pb2

from lateen.translate.newer_types import SetFilterState
from lateen.translate.telemetry.labels import state_of

NAME: Final = "envoy.filters.network.set_filter_state"
_ATTRIBUTES: Final = {
    "workload": "CN=",
    "namespace": "O=",
    "app": "OU=app=",
    "version": "OU=ver=",
    "cluster": "OU=cluster=",
    "service": "OU=cs=",
    "revision": "OU=cr=",
}
"""Of a Subject (`identity.facts` writes it): what stands before each fact."""


def add_peer_facts(chain: Any) -> None:
    """Appends to a `FilterChain` that takes certificates what takes their Subject apart: once per connection, for an
    expression in each tag of each metric would cost a multiple of all the rest of the proxy's work."""
    config = SetFilterState()
    config.on_downstream_tls_handshake.extend(_extracted(fact, attribute) for fact, attribute in _ATTRIBUTES.items())
    chain.filters.add(name=NAME).typed_config.Pack(config, deterministic=True)


def _extracted(fact: str, attribute: str) -> Any:
    value = value_pb2.FilterStateValue(object_key=state_of(fact), factory_key="envoy.string", skip_if_empty=True)
    # Envoy prints a Subject from its last attribute to its first, separated by commas, which facts have none of.
    subject = "connection.subject_peer_certificate"
    extracted = f're.extract({subject}, "(?:.*,)?{attribute}([^,]*).*", "\\\\1")'
    expression = f'{subject}.contains("{attribute}") ? {extracted} : ""'
    value.format_string.text_format_source.inline_string = f"%CEL({expression})%"
    return value
