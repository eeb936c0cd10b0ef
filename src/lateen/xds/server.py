"""The gRPC side: aggregated discovery (and each type's own service), delta and state of the world.

Messages are bytes both ways: responses are the shared bytes of the parcels, requests are parsed to what sessions need.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import grpc
import grpc.aio
import msgspec

from lateen.api.addresses import unmapped
from lateen.model.identity import PeerIdentity
from lateen.model.proxy import Proxy, Role
from lateen.translate.resource import ResourceType
from lateen.xds.authentication import AllRights, Authenticator, CannotTell, NoAuthentication, Refused, Rights, check
from lateen.xds.connection import Connection
from lateen.xds.delta import DeltaProtocol
from lateen.xds.limits import Limits
from lateen.xds.node import BadNode, proxy_of, version_of
from lateen.xds.parcel import Parcels
from lateen.xds.push import PushLoop
from lateen.xds.rate import Rate, Rates
from lateen.xds.rejection import Rejection
from lateen.xds.request import BadRequest, Decoded, decode_delta, decode_sotw
from lateen.xds.session import Session
from lateen.xds.sotw import SotwProtocol

LAST_WRITE = 1.0
"""Seconds that a proxy has to take what is being sent when its stream ends."""

_UNIX = "unix:"

log = logging.getLogger(__name__)

_SERVICES: Mapping[str, tuple[ResourceType | None, str]] = {
    "envoy.service.discovery.v3.AggregatedDiscoveryService": (None, "AggregatedResources"),
    "envoy.service.cluster.v3.ClusterDiscoveryService": (ResourceType.CDS, "Clusters"),
    "envoy.service.endpoint.v3.EndpointDiscoveryService": (ResourceType.EDS, "Endpoints"),
    "envoy.service.listener.v3.ListenerDiscoveryService": (ResourceType.LDS, "Listeners"),
    "envoy.service.route.v3.RouteDiscoveryService": (ResourceType.RDS, "Routes"),
    "envoy.service.secret.v3.SecretDiscoveryService": (ResourceType.SDS, "Secrets"),
    "envoy.service.extension.v3.ExtensionConfigDiscoveryService": (ResourceType.ECDS, "ExtensionConfigs"),
}
"""Service to its type (None: all) and what its methods are named after."""


class Listener(NamedTuple):
    """Where to listen, and how to know who calls."""

    address: str
    """`host:port`, port 0 taking a free one; or `unix:PATH`, which nobody else can open."""
    authenticator: Authenticator = NoAuthentication()
    handlers: tuple[grpc.GenericRpcHandler, ...] = ()
    """What else is served there."""


class Counters(msgspec.Struct):
    """What has happened since the start."""

    streams: int = 0
    requests: int = 0
    rejections: int = 0
    """Responses that proxies have rejected."""
    delayed: int = 0
    """Streams that had to wait, since their proxies came too often."""
    ended: Counter[str] = msgspec.field(default_factory=Counter)
    """Streams that the server ended, by status."""
    unknown_types: Counter[str] = msgspec.field(default_factory=Counter)
    """Requests for types that nothing is known of, by type URL. They are left unanswered."""


class XdsServer:
    """`rejected` is called with every NACK. Start the push loop beside it."""

    def __init__(
        self,
        push: PushLoop,
        parcels: Parcels | None = None,
        *,
        limits: Limits | None = None,
        rejected: Callable[[Rejection], None] = lambda _: None,
        rights: Rights | None = None,
    ) -> None:
        """`rights`: what proxies may have; None: everything that is for them."""
        self.push = push
        self.inventory = push.inventory
        self.parcels = parcels or Parcels()
        self.counters = Counters()
        self._limits = limits or Limits()
        self._rejected = rejected
        self._rights = rights or AllRights()
        self._numbers = count(1)
        limits = self._limits
        self._arrivals = Rates(limits.arrivals_per_second, limits.arrival_burst, limits.arrival_wait)
        self._streams: Counter[Authenticator] = Counter()
        """Open now, by whom their listener asks."""
        self._streams_of_one: Counter[tuple[Authenticator, str]] = Counter()
        """The same by address, too."""
        self._connections: dict[int, Connection] = {}
        self._servers: list[grpc.aio.Server] = []

    async def start(self, *listeners: Listener) -> tuple[int, ...]:
        """Listens; returns the ports, in the order of the listeners. Raises OSError when one cannot be had."""
        ports = []
        for listener in listeners:
            handlers = [_Handlers(self, listener.authenticator), *listener.handlers]
            server = grpc.aio.server(handlers=handlers, options=_options(self._limits))
            try:
                port = server.add_insecure_port(listener.address)
            except RuntimeError as error:
                raise OSError(f"cannot listen on {listener.address}: {error}") from None
            await server.start()
            if listener.address.startswith(_UNIX):
                Path(listener.address.removeprefix(_UNIX)).chmod(0o600)
            self._servers.append(server)
            ports.append(port)
        return tuple(ports)

    async def stop(self, grace: float = 0) -> None:
        """Ends all streams, those that end by themselves within `grace` seconds excepted."""
        servers, self._servers = self._servers, []
        await asyncio.gather(*(server.stop(grace) for server in servers))

    def connections(self) -> Sequence[Connection]:
        """Of all proxies that have said who they are, oldest first."""
        return tuple(self._connections.values())

    # --- one stream ------------------------------------------------------------------------------------------

    async def serve(
        self,
        protocol: DeltaProtocol | SotwProtocol,
        type_: ResourceType | None,
        authenticator: Authenticator,
        call: grpc.aio.ServicerContext[bytes, bytes],
    ) -> None:
        """Until the proxy ends the stream, or is told why it is ended."""
        one = authenticator, _host(authenticator.address(call))
        self._streams[authenticator] += 1
        self._streams_of_one[one] += 1
        try:
            await self._serve(protocol, type_, authenticator, call)
        except (BadRequest, BadNode) as error:
            # Its frames hold the request and, through the task that read it, themselves: megabytes that would wait for
            # the garbage collector, which counts objects and not bytes.
            error.__traceback__ = None
            await self._end(call, authenticator, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Refused as error:
            code = grpc.StatusCode.UNAUTHENTICATED if error.unauthenticated else grpc.StatusCode.PERMISSION_DENIED
            await self._end(call, authenticator, code, str(error))
        except CannotTell as problem:
            await self._end(call, authenticator, grpc.StatusCode.UNAVAILABLE, str(problem))
        finally:
            self._streams[authenticator] -= 1
            self._streams_of_one[one] -= 1
            if not self._streams_of_one[one]:
                del self._streams_of_one[one]

    async def _serve(
        self,
        protocol: DeltaProtocol | SotwProtocol,
        type_: ResourceType | None,
        authenticator: Authenticator,
        call: grpc.aio.ServicerContext[bytes, bytes],
    ) -> None:
        decode = decode_delta if isinstance(protocol, DeltaProtocol) else decode_sotw
        self.counters.streams += 1
        if self._streams[authenticator] > self._limits.streams:
            await self._end(
                call, authenticator, grpc.StatusCode.RESOURCE_EXHAUSTED, f"{self._limits.streams} streams are open"
            )
        host, most = _host(authenticator.address(call)), self._limits.streams_of_one
        if self._streams_of_one[authenticator, host] > most and not _is_own(host):
            message = f"{most} streams of {host} are open"
            await self._end(call, authenticator, grpc.StatusCode.RESOURCE_EXHAUSTED, message)
        identity = await authenticator.authenticate(call)
        try:
            async with asyncio.timeout(self._limits.first_request):
                data = await call.read()
        except TimeoutError:
            await self._end(call, authenticator, grpc.StatusCode.DEADLINE_EXCEEDED, "no request came")
            return
        if data is grpc.aio.EOF:
            return
        first = decode(data, type_)
        if first.node is None:
            raise BadRequest("the first request does not say which node it is of")
        proxy = proxy_of(first.node)
        check(proxy, identity)
        # By address too: nobody shall use up what is another's.
        peer = authenticator.address(call)
        if wait := self._arrivals.take((proxy.id, host), self.push.clock()):
            self.counters.delayed += 1
            await asyncio.sleep(wait)
        proxy = msgspec.structs.replace(proxy, secrets=await self._may_have_secrets(proxy, identity))
        session = Session(proxy, protocol, self.inventory, self.parcels, self._limits, self._take_rejection)
        version = version_of(first.node)
        connection = Connection(next(self._numbers), session, peer, version, proven=identity is not None)
        self._connections[connection.number] = connection
        self.push.attach(session, connection)
        writer = asyncio.create_task(connection.write(call.write))
        reader: asyncio.Task[None] | None = None
        try:
            self._take(connection, Decoded(first.type_url, first.request, None))
            del first, data
            reader = asyncio.create_task(self._read(connection, lambda data: decode(data, type_), call))
            done, _ = await asyncio.wait(
                (reader, writer), timeout=self._age(proxy, identity), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self.push.detach(session)
            del self._connections[connection.number]
            session.close()
            connection.finish()
            # gRPC cannot end a call with a status while something is being written to it.
            await asyncio.wait((writer,), timeout=LAST_WRITE)
            tasks = [writer] if reader is None else [writer, reader]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not done:
            await self._end(
                call, authenticator, grpc.StatusCode.UNAVAILABLE, "the stream is old: come again, to whichever replica"
            )
        if connection.failed:
            await self._end(call, authenticator, grpc.StatusCode.INTERNAL, "a fault of the control plane")
        if not reader.cancelled():
            # Raises what the reader found wrong, if anything.
            reader.result()

    async def _may_have_secrets(self, proxy: Proxy, identity: PeerIdentity | None) -> bool:
        is_gateway = proxy.role is Role.ROUTER
        try:
            found = await self._rights.secrets(identity)
        except CannotTell:
            # A gateway would serve without its certificates. Few sidecars need any, and they have all else to lose.
            if is_gateway:
                raise
            return False
        if is_gateway and not found:
            who = f"{identity.namespace}/{identity.service_account}" if identity is not None else "who proves nothing"
            log.warning("%s is sent no Secrets: %s may not list those of its namespace", proxy.id, who)
        return found

    def _age(self, proxy: Proxy, identity: PeerIdentity | None) -> float | None:
        """How long a stream lasts at most, in seconds: not all that began at once end at once."""
        age = self._limits.stream_age
        if proxy.role is Role.ROUTER and identity is not None and not proxy.secrets:
            age = min(age or self._limits.denied_age, self._limits.denied_age)
        return None if age is None else age * random.uniform(0.9, 1.1)

    async def _read(
        self, connection: Connection, decode: Callable[[bytes], Decoded], call: grpc.aio.ServicerContext[bytes, bytes]
    ) -> None:
        clock = self.push.clock
        rate = Rate(self._limits.requests_per_second, self._limits.request_burst, clock())
        while (data := await call.read()) is not grpc.aio.EOF:
            self._take(connection, decode(data))
            if wait := rate.take(clock(), 1 + len(data) / self._limits.request_unit):
                # What is not read fills the proxy's own window: it slows down nobody else.
                await asyncio.sleep(wait)

    def _take(self, connection: Connection, decoded: Decoded) -> None:
        self.counters.requests += 1
        if decoded.request is None:
            url = decoded.type_url if len(self.counters.unknown_types) < 100 else "others"
            self.counters.unknown_types[url[:200]] += 1
            return
        try:
            connection.session.receive(decoded.request)
            connection.advance(self.push.clock())
        except BadRequest:
            raise
        except Exception:
            log.exception("a fault of ours in serving one proxy: its stream is ended, and it may come again")
            connection.fail()
        if self.inventory.is_behind:
            self.push.changed()

    def _take_rejection(self, rejection: Rejection) -> None:
        self.counters.rejections += 1
        named = ", ".join(rejection.names[:5]) + (", ..." if len(rejection.names) > 5 else "")
        log.warning("%s rejects %s %s: %s", rejection.proxy, rejection.type.name, named, rejection.message)
        self._rejected(rejection)

    async def _end(
        self,
        call: grpc.aio.ServicerContext[bytes, bytes],
        authenticator: Authenticator,
        code: grpc.StatusCode,
        why: str,
    ) -> None:
        self.counters.ended[code.name] += 1
        log.info("stream of %s ended: %s: %s", authenticator.address(call), code.name, why)
        await call.abort(code, why)


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the method of a call; requests and responses stay bytes."""

    def __init__(self, server: XdsServer, authenticator: Authenticator) -> None:
        self._methods = dict(_methods(server, authenticator))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self._methods.get(handler_call_details.method)


def _methods(server: XdsServer, authenticator: Authenticator) -> Iterator[tuple[str, grpc.RpcMethodHandler]]:
    for service, (type_, suffix) in _SERVICES.items():
        for prefix, protocol in (("Delta", DeltaProtocol()), ("Stream", SotwProtocol())):
            yield f"/{service}/{prefix}{suffix}", _method(server, protocol, type_, authenticator)


def _method(
    server: XdsServer,
    protocol: DeltaProtocol | SotwProtocol,
    type_: ResourceType | None,
    authenticator: Authenticator,
) -> grpc.RpcMethodHandler:
    async def call(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        await server.serve(protocol, type_, authenticator, context)

    return grpc.stream_stream_rpc_method_handler(call)


def _host(peer: str) -> str:
    """The address alone of `10.0.0.1:4711`, `[fd00::1]:4711`, or of gRPC's own `ipv4:10.0.0.1:4711`."""
    return unmapped(unquote(peer.removeprefix("ipv4:").removeprefix("ipv6:")).rpartition(":")[0].strip("[]"))


def _is_own(host: str) -> bool:
    """Whether it is this machine's: a port forwarding's, say, or no address at all (a socket)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _options(limits: Limits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", limits.request_size),
        ("grpc.max_send_message_length", -1),
        # A token, and a client certificate as a header.
        ("grpc.max_metadata_size", 64 * 1024),
        ("grpc.absolute_max_metadata_size", 64 * 1024),
        # A peer that is gone without a word is noticed within 40 seconds.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.so_reuseport", 0),
    ]
