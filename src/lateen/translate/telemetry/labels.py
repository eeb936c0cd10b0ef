"""The labels of Istio's standard metrics, as substitution commands.

A proxy's own facts are variables of its environment, which its agent sets: then listeners do not differ from workload
to workload, and a namespace goes on sharing them. What is at the other end:

- a server, from the metadata of the endpoint and of the cluster that the control plane sent;
- a client, from the Subject of its certificate, taken apart once per connection (`peer_facts`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lateen.model.peer import DERIVED, FACTS, FALLBACKS, METADATA_KEYS, PEER, own_variable
from lateen.translate.telemetry.formats import UNKNOWN, command, first_of
from lateen.translate.telemetry.stats_logger import Tag, replaced

_LABELS: Final = {
    "workload": "workload",
    "namespace": "workload_namespace",
    "app": "app",
    "version": "version",
    "cluster": "cluster",
    "service": "canonical_service",
    "revision": "canonical_revision",
}
"""What labels call a fact, after `source_` or `destination_`."""
_SERVICE: Final = {"host": "destination_service", "name": "destination_service_name"}
_GRPC: Final = "application/grpc"


class Destination(NamedTuple):
    """The service that a server's port is of; empty texts where no service has it."""

    host: str = ""
    name: str = ""


def state_of(fact: str) -> str:
    """The filter state that holds a fact about a client."""
    return f"{PEER}.{fact}"


def client_tags(*, fallback_to_host_header: bool) -> list[Tag]:
    """What a client's proxy knows. What goes to no service of the mesh is told by the `host` header, where asked."""
    tags = [Tag("reporter", "source"), *_own("source")]
    tags.append(Tag("source_principal", first_of(("UPSTREAM_LOCAL_URI_SAN", ""))))
    for fact in FACTS:
        sources = [("UPSTREAM_METADATA", f"{PEER}:{METADATA_KEYS[each]}") for each in (fact, *DERIVED.get(fact, ()))]
        tags.append(Tag(f"destination_{_LABELS[fact]}", first_of(*sources, default=FALLBACKS.get(fact, UNKNOWN))))
    tags.append(Tag("destination_principal", first_of(("UPSTREAM_PEER_URI_SAN", ""))))
    header = (("REQ", ":authority"),) if fallback_to_host_header else ()
    for key, label in _SERVICE.items():
        path = f"istio:service:{key}"
        route = (("METADATA", f"ROUTE:{path}"),) if fallback_to_host_header else ()
        tags.append(Tag(label, first_of(("CLUSTER_METADATA", path), *route, *header)))
    tags.append(Tag("destination_service_namespace", first_of(("CLUSTER_METADATA", "istio:service:namespace"))))
    # Istio's clients do not tell either: which policy holds is the server's to know.
    tags.append(Tag("connection_security_policy", UNKNOWN))
    return tags


def server_tags(destination: Destination, *, authenticated: bool) -> list[Tag]:
    """What a server's proxy knows; of the client only where it has shown a certificate of the mesh."""
    tags = [Tag("reporter", "destination"), *_own("destination")]
    for fact in FACTS:
        default = FALLBACKS.get(fact, UNKNOWN)
        state = ("FILTER_STATE", f"{state_of(fact)}:PLAIN")
        tags.append(Tag(f"source_{_LABELS[fact]}", first_of(state, default=default) if authenticated else default))
    for label, name in (("source", "DOWNSTREAM_PEER_URI_SAN"), ("destination", "DOWNSTREAM_LOCAL_URI_SAN")):
        tags.append(Tag(f"{label}_principal", first_of((name, "")) if authenticated else UNKNOWN))
    own_service = command("ENVIRONMENT", own_variable("service"))
    tags += [
        Tag("destination_service", destination.host or own_service),
        Tag("destination_service_name", destination.name or own_service),
        Tag("destination_service_namespace", command("ENVIRONMENT", own_variable("namespace"))),
        Tag("connection_security_policy", "mutual_tls" if authenticated else "none"),
    ]
    return tags


def http_tags() -> list[Tag]:
    """What is said of each request besides."""
    return [
        Tag(
            "request_protocol",
            command("REQ", "content-type"),
            replaced({_GRPC: "grpc"}, by_prefix=True, otherwise="http"),
        ),
        Tag("response_code", command("RESPONSE_CODE")),
        Tag("grpc_response_status", command("GRPC_STATUS_NUMBER"), replaced({"-": ""})),
        Tag("response_flags", command("RESPONSE_FLAGS")),
    ]


def tcp_tags() -> list[Tag]:
    """What is said of each connection besides."""
    return [Tag("request_protocol", "tcp"), Tag("response_flags", command("RESPONSE_FLAGS"))]


def _own(side: str) -> list[Tag]:
    return [Tag(f"{side}_{_LABELS[fact]}", command("ENVIRONMENT", own_variable(fact))) for fact in FACTS]
