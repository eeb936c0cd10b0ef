"""DNS capture: the queries of the workload, which are redirected here, answered by Envoy's DNS filter.

What is in the table is answered at once; all else is asked of the pod's own resolvers. Queries over TCP, which the
filter does not do, go on to the servers that they were for.
"""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import address_pb2, base_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.network.dns_resolver.cares.v3 import cares_dns_resolver_pb2

from lateen.engine import Reader, query
from lateen.model.listen_form import ListenForm, listen_form
from lateen.model.name_table import Names, service_names
from lateen.model.names import PASSTHROUGH_CLUSTER
from lateen.model.proxy import OutboundView
from lateen.model.scope import ScopeKey, scope_key, scope_of
from lateen.model.service import ServiceKey
from lateen.model.streams import BLACK_HOLE, to_cluster
from lateen.translate.filters.listener_filters import add_original_destination
from lateen.translate.filters.network import Forwarding, add_terminal
from lateen.translate.listeners.addresses import set_addresses
from lateen.translate.newer_types import DnsFilterConfig
from lateen.translate.resource import Recipe, Resource, resource, resource_of_bytes
from lateen.translate.wire import any_type, embedded, text, unsigned

DNS: Final = "dns"
DNS_OVER_TCP: Final = "dns-tcp"
PORT: Final = 15053
"""Where queries are redirected to."""
_TTL: Final = 30
"""Seconds for which answers may be kept: the least that Envoy takes."""
_TIMEOUT: Final = 5
"""Seconds until another try at the pod's resolvers; there is one."""
_PENDING: Final = 1024
"""Queries that wait for the pod's resolvers; more are answered by a failure."""

# Numbers of fields. Listener: listener_filters 9. ListenerFilter: name 1, typed_config 3. DnsFilterConfig:
# stat_prefix 1, server_config 2, client_config 3, case_insensitive 5. ServerContextConfig: inline_dns_table 1.
# DnsTable: external_retry_count 1, virtual_domains 2. DnsVirtualDomain: name 1, endpoint 2, answer_ttl 3.
# DnsEndpoint: address_list 1. AddressList: address 1. Duration: seconds 1.

Domains = tuple[tuple[str, bytes], ...]
"""Names, each with its serialised `virtual_domains` field."""


@query
def dns_listing(db: Reader, view: OutboundView) -> tuple[Recipe, ...]:
    """The DNS listeners of a sidecar that asks for them (`ISTIO_META_DNS_CAPTURE`)."""
    if not view.traits.dns_capture:
        return ()
    form = listen_form(view.traits, view.cluster_id)
    recipes = [Recipe(DNS, dns_listener, (scope_key(db, view), view.namespace, form))]
    if form.captured:
        recipes.append(Recipe(DNS_OVER_TCP, dns_over_tcp, (form.loopbacks,)))
    return tuple(recipes)


@query
def dns_listener(db: Reader, scope: ScopeKey, namespace: str, form: ListenForm) -> Resource:
    """The listener for queries over UDP, for all sidecars of a namespace that see the same."""
    own: dict[str, bytes] = {}
    others: dict[str, bytes] = {}
    for key in scope_of(db, scope).services.values():
        names, more = domains(db, key, namespace, form)
        own.update(names)
        for name, domain in more:
            others.setdefault(name, domain)
    # Of two services that share a name, the one that is called so has it; Envoy wants each once.
    found = others | own
    table = unsigned(1, 1) + b"".join([found[name] for name in sorted(found)])
    message = listener_pb2.Listener(name=DNS, traffic_direction=base_pb2.OUTBOUND)
    set_addresses(message, form.loopbacks, PORT)
    for address in (message.address, *(each.address for each in message.additional_addresses)):
        address.socket_address.protocol = address_pb2.SocketAddress.UDP
    config = text(1, DNS) + embedded(2, embedded(1, table)) + embedded(3, _client()) + unsigned(5, 1)
    any_config = any_type(DnsFilterConfig.DESCRIPTOR.full_name) + embedded(2, config)
    body = bytes(message.SerializeToString(deterministic=True))
    return resource_of_bytes(DNS, body + embedded(9, text(1, "envoy.filters.udp.dns_filter") + embedded(3, any_config)))


@query
def domains(db: Reader, key: ServiceKey, namespace: str, form: ListenForm) -> tuple[Domains, Domains]:
    """The names of a service with what is answered: its own, and others."""
    own, others = service_names(db, key, namespace, form)
    return _serialised(own), _serialised(others)


def _serialised(names: Names) -> Domains:
    return tuple([(name, embedded(2, _domain(name, addresses))) for name, addresses in names])


def _domain(name: str, addresses: tuple[str, ...]) -> bytes:
    listed = b"".join([text(1, address) for address in addresses])
    return text(1, name) + embedded(2, embedded(1, listed)) + embedded(3, unsigned(1, _TTL))


def _client() -> bytes:
    """Asks the servers of /etc/resolv.conf, for names as they are: the workload's resolver has appended to them."""
    client = DnsFilterConfig.ClientContextConfig(max_pending_lookups=_PENDING)
    client.resolver_timeout.seconds = _TIMEOUT
    resolver = cares_dns_resolver_pb2.CaresDnsResolverConfig()
    resolver.dns_resolver_options.no_default_search_domain = True
    client.typed_dns_resolver_config.name = "envoy.network.dns_resolver.cares"
    client.typed_dns_resolver_config.typed_config.Pack(resolver, deterministic=True)
    return bytes(client.SerializeToString(deterministic=True))


@query
def dns_over_tcp(db: Reader, addresses: tuple[str, ...]) -> Resource:
    """Hands on queries over TCP, as they were meant."""
    message = listener_pb2.Listener(name=DNS_OVER_TCP, traffic_direction=base_pb2.OUTBOUND)
    set_addresses(message, addresses, PORT)
    # Who connects to the port itself would be connected to it again, and again.
    black_hole = message.filter_chains.add(name=f"{DNS_OVER_TCP}-blackhole")
    black_hole.filter_chain_match.destination_port.value = PORT
    add_terminal(black_hole, Forwarding(BLACK_HOLE))
    add_terminal(message.filter_chains.add(name=DNS_OVER_TCP), Forwarding(to_cluster(PASSTHROUGH_CLUSTER)))
    add_original_destination(message)
    return resource(DNS_OVER_TCP, message)
