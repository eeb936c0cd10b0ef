"""A delta-ADS client that holds what a proxy would hold: it applies every response, ACKs it, and no more.

It knows the protocol from Envoy's protos alone and nothing of our server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import grpc.aio
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import json_format

from lateen.testing.envoy import MESSAGES
from lateen.translate.resource import ResourceType

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


class Held(NamedTuple):
    version: str
    body: bytes


class Response(NamedTuple):
    """What one response said, in the order in which responses came."""

    type: ResourceType
    resources: tuple[str, ...]
    removed: tuple[str, ...]
    size: int
    """Bytes on the wire."""


class AdsClient:
    """One proxy's stream. `held` outlives the stream: `connect` again resumes with initial resource versions.

    As Envoy does, it subscribes to clusters and listeners by wildcard, and (unless `follow` is false) to the load
    assignments of the EDS clusters and the route configurations of the listeners that it holds.
    """

    def __init__(
        self,
        address: str,
        node_id: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        call_metadata: Iterable[tuple[str, str]] = (),
        follow: bool = True,
    ) -> None:
        self.held: dict[ResourceType, dict[str, Held]] = {}
        self.responses: list[Response] = []
        self.reject: Callable[[ResourceType, str, Held], str | None] = lambda _type, _name, _held: None
        """Gives the message of a NACK for what it does not accept; it takes the rest of such a response, as Envoy."""
        self._address = address
        self._credentials = credentials
        self._call_metadata = tuple(call_metadata)
        self._node = base_pb2.Node(id=node_id, cluster="test")
        json_format.ParseDict(dict(metadata or {}), self._node.metadata)
        self._follow = follow
        self._names: dict[ResourceType, set[str]] = {}
        self._channel: grpc.aio.Channel | None = None
        self._call: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._asked: set[ResourceType] = set()
        """Types that a request of this stream was about."""
        self._writing = asyncio.Lock()
        self._changed = asyncio.Condition()

    async def connect(self, *types: ResourceType) -> None:
        """Opens the stream and asks for `types` by wildcard; clusters and listeners unless told otherwise.

        After a disconnect everything that was subscribed is subscribed again.
        """
        options = (("grpc.max_receive_message_length", -1),)
        if self._credentials is not None:
            self._channel = grpc.aio.secure_channel(self._address, self._credentials, options)
        else:
            self._channel = grpc.aio.insecure_channel(self._address, options)
        self._call = self._channel.stream_stream(METHOD)(metadata=self._call_metadata)
        self._asked.clear()
        wildcards = types or (ResourceType.CDS, ResourceType.LDS)
        for type_ in ResourceType:
            names = self._names.get(type_)
            if type_ in wildcards:
                await self._request(type_, subscribe=sorted(names or ()))
            elif names:
                await self._request(type_, subscribe=sorted(names))
        self._reader = asyncio.create_task(self._read())

    def move(self, address: str) -> None:
        """The next `connect` is to another server."""
        self._address = address

    async def subscribe(self, type_: ResourceType, *names: str) -> None:
        self._names.setdefault(type_, set()).update(names)
        await self._request(type_, subscribe=names)

    async def unsubscribe(self, type_: ResourceType, *names: str) -> None:
        self._names.setdefault(type_, set()).difference_update(names)
        for name in names:
            self.held.get(type_, {}).pop(name, None)
        await self._request(type_, unsubscribe=names)

    async def until(self, condition: Callable[[], Any], what: str = "the condition holds", timeout: float = 60) -> Any:
        """Waits until `condition()` is true, looking after each response. Raises AssertionError when it is not in time.

        An end of the stream by the server is raised as the grpc error it is.
        """
        async with self._changed:
            try:
                async with asyncio.timeout(timeout):
                    while not (found := condition()):
                        if self._reader is None or self._reader.done():
                            await self._ended(what)
                        await self._changed.wait()
            except TimeoutError:
                raise AssertionError(f"not within {timeout} s: {what}; responses: {self.responses[-10:]}") from None
        return found

    async def has(self, type_: ResourceType, *names: str, timeout: float = 60) -> None:
        """Waits until exactly these names of a type are held."""
        await self.until(
            lambda: set(self.held.get(type_, ())) == set(names), f"{type_.name} is {sorted(names)}", timeout
        )

    def message(self, type_: ResourceType, name: str) -> Any:
        """The protobuf message of a held resource. Raises KeyError when it is not held."""
        return MESSAGES[type_].FromString(self.held[type_][name].body)

    async def close(self) -> None:
        """Ends the stream; what is held stays."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    async def __aenter__(self) -> AdsClient:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- the protocol ----------------------------------------------------------------------------------------

    async def _request(
        self,
        type_: ResourceType,
        *,
        subscribe: Iterable[str] = (),
        unsubscribe: Iterable[str] = (),
        nonce: str = "",
        error: str | None = None,
    ) -> None:
        request = discovery_pb2.DeltaDiscoveryRequest(
            type_url=type_.value,
            resource_names_subscribe=subscribe,
            resource_names_unsubscribe=unsubscribe,
            response_nonce=nonce,
        )
        if error is not None:
            request.error_detail.code = grpc.StatusCode.INVALID_ARGUMENT.value[0]
            request.error_detail.message = error
        # The reader acknowledges while the test asks: a stream takes one at a time, and fails for two.
        async with self._writing:
            if not self._asked:
                request.node.CopyFrom(self._node)
            if type_ not in self._asked:
                self._asked.add(type_)
                for name, held in self.held.get(type_, {}).items():
                    request.initial_resource_versions[name] = held.version
            # A stream that has ended is told of by its reader, with the status.
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await self._call.write(request.SerializeToString())

    async def _read(self) -> None:
        try:
            while (data := await self._call.read()) is not grpc.aio.EOF:
                await self._apply(data)
        finally:
            async with self._changed:
                self._changed.notify_all()

    async def _apply(self, data: bytes) -> None:
        response = discovery_pb2.DeltaDiscoveryResponse.FromString(data)
        type_ = ResourceType(response.type_url)
        held = self.held.setdefault(type_, {})
        errors = []
        for resource in response.resources:
            if resource.resource.type_url != type_.value:
                raise AssertionError(f"{resource.name} of type {resource.resource.type_url} in a response of {type_}")
            new = Held(resource.version, resource.resource.value)
            said = self.reject(type_, resource.name, new)
            if said is None:
                held[resource.name] = new
            else:
                errors.append(said)
        for name in response.removed_resources:
            held.pop(name, None)
        names = tuple(resource.name for resource in response.resources)
        self.responses.append(Response(type_, names, tuple(response.removed_resources), len(data)))
        if self._follow:
            await self._follow_references(type_)
        await self._request(type_, nonce=response.nonce, error="\n".join(errors) if errors else None)
        async with self._changed:
            self._changed.notify_all()

    async def _follow_references(self, type_: ResourceType) -> None:
        referred: Callable[[Any], set[str]]
        if type_ is ResourceType.CDS:
            target, referred = ResourceType.EDS, _assignments
        elif type_ is ResourceType.LDS:
            target, referred = ResourceType.RDS, _routes
        else:
            return
        wanted = {name for held in self.held[type_] for name in referred(self.message(type_, held))}
        known = self._names.get(target, set())
        if wanted - known:
            await self.subscribe(target, *sorted(wanted - known))
        if known - wanted:
            await self.unsubscribe(target, *sorted(known - wanted))

    async def _ended(self, what: str) -> None:
        if self._reader is not None:
            await self._reader
        status = await self._call.code() if self._call is not None else None
        raise AssertionError(f"the stream ended ({status}) before {what}")


def _assignments(cluster: Any) -> set[str]:
    if cluster.type != cluster.EDS:
        return set()
    return {cluster.eds_cluster_config.service_name or cluster.name}


def _routes(listener: Any) -> set[str]:
    """Names of the route configurations that any HTTP connection manager of a listener takes from RDS."""
    from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2

    found = set()
    for chain in (*listener.filter_chains, listener.default_filter_chain):
        for filter in chain.filters:
            manager = http_connection_manager_pb2.HttpConnectionManager()
            if filter.typed_config.Unpack(manager) and manager.HasField("rds"):
                found.add(manager.rds.route_config_name)
    return found
