"""What an agent and its Envoy need of a control plane, small enough to be told what to do: certificates and ADS."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2, json_format

from lateen.testing.authorities import SigningPair, ec_key, key_pem, signing_pair
from lateen.translate.envoy_types import message_class

_NAME = "localhost"
_ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
_CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
_LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
_TYPES = {_CLUSTER: cluster_pb2.Cluster, _LISTENER: listener_pb2.Listener}
_PEM = serialization.Encoding.PEM


class AgentControlPlane:
    """`async with AgentControlPlane(clusters=[...], listeners=[...]) as control_plane`.

    Clusters and listeners are as Envoy's configuration has them in JSON; they are sent once per stream. Both ports
    speak TLS with a certificate of the current root for `istiod.istio-system.svc`; ADS demands a client's.
    """

    def __init__(
        self, *, clusters: Sequence[Mapping[str, Any]] = (), listeners: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self.root = signing_pair("first root")
        """Signs what is asked for from now on."""
        self.roots: tuple[SigningPair, ...] = (self.root,)
        """All that an answer tells to trust."""
        self.lifetime = timedelta(hours=1)
        """Of certificates, whatever is asked for."""
        self.head_start = timedelta()
        """How long before they are made certificates begin, as those of istiod do."""
        self.refusal: tuple[int, dict[str, str]] | None = None
        """Status and headers of every answer instead of a certificate."""
        self.tokens: list[str] = []
        """Of each request for a certificate."""
        self.shown: list[bool] = []
        """Whether each came with a client certificate."""
        self.streams = 0
        """How many ADS streams there have been."""
        self.nodes: list[Any] = []
        """core.v3.Node of each stream."""
        self.certificate_port = 0
        self.ads_port = 0
        self._resources = {_CLUSTER: clusters, _LISTENER: listeners}
        self._runner: web.AppRunner | None = None
        self._ads: grpc.aio.Server | None = None
        self._asked = asyncio.Condition()

    def set_listeners(self, listeners: Sequence[Mapping[str, Any]]) -> None:
        """For streams from now on."""
        self._resources[_LISTENER] = listeners

    def rotate_root(self) -> None:
        """Signs with another root from now on; both are trusted."""
        self.root = signing_pair("second root")
        self.roots = (*self.roots, self.root)

    def roots_pem(self) -> str:
        return "".join(root.pem.decode() for root in self.roots)

    async def until_asked(self, times: int, timeout: float = 60.0) -> None:
        """Waits for so many requests for a certificate in all. Seconds."""
        async with asyncio.timeout(timeout), self._asked:
            await self._asked.wait_for(lambda: len(self.tokens) >= times)

    async def __aenter__(self) -> Self:
        pair = _serving(self.root)
        await self._serve_certificates(pair)
        await self._serve_ads(pair)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ads is not None:
            await self._ads.stop(0)
        if self._runner is not None:
            await self._runner.cleanup()

    # --- certificates --------------------------------------------------------------------------------------------

    async def _serve_certificates(self, pair: SigningPair) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _load(context, pair)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.roots_pem())
        application = web.Application()
        application.router.add_post("/v1/certificates", self._certify)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.certificate_port = self._runner.addresses[0][1]

    async def _certify(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        body = await request.json()
        async with self._asked:
            self.tokens.append(request.headers.get("Authorization", "").removeprefix("Bearer "))
            self.shown.append(bool(request.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)))
            self._asked.notify_all()
        if self.refusal is not None:
            status, headers = self.refusal
            return web.json_response({"error": "REFUSED", "message": "as told"}, status=status, headers=headers)
        leaf = self._signed(body["csr"])
        return web.json_response({"chain": [leaf], "roots": [root.pem.decode() for root in self.roots], "notAfter": ""})

    def _signed(self, csr: str) -> str:
        request = x509.load_pem_x509_csr(csr.encode())
        assert request.is_signature_valid
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.certificate.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(seconds=1) - self.head_start)
            .not_valid_after(now + self.lifetime)
            .add_extension(
                x509.SubjectAlternativeName([
                    x509.UniformResourceIdentifier("spiffe://cluster.local/ns/default/sa/app"),
                    x509.DNSName(_NAME),
                ]),
                critical=True,
            )
        )  # fmt: skip
        return builder.sign(self.root.key, hashes.SHA256()).public_bytes(_PEM).decode()

    # --- ADS -----------------------------------------------------------------------------------------------------

    async def _serve_ads(self, pair: SigningPair) -> None:
        self._ads = grpc.aio.server()
        credentials = grpc.ssl_server_credentials(
            [(key_pem(pair.key), pair.pem)], root_certificates=self.roots_pem().encode(), require_client_auth=True
        )
        self.ads_port = self._ads.add_secure_port("127.0.0.1:0", credentials)
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream,
            request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString,
            response_serializer=discovery_pb2.DeltaDiscoveryResponse.SerializeToString,
        )
        service, method = _ADS[1:].split("/")
        self._ads.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        await self._ads.start()

    async def _stream(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        self.streams += 1
        sent = set()
        async for request in requests:
            if request.HasField("node"):
                self.nodes.append(request.node)
            assert not request.HasField("error_detail"), request.error_detail.message
            if request.type_url in sent or request.type_url not in self._resources:
                continue
            sent.add(request.type_url)
            yield self._response(request.type_url)

    def _response(self, type_url: str) -> Any:
        response = discovery_pb2.DeltaDiscoveryResponse(type_url=type_url, nonce="1")
        for resource in self._resources[type_url]:
            _load_types(resource)
            message = json_format.ParseDict(dict(resource), _TYPES[type_url]())
            packed = any_pb2.Any(type_url=type_url, value=message.SerializeToString())
            response.resources.add(name=message.name, version="1", resource=packed)
        return response


def _load_types(data: Any) -> None:
    """Those that are named within: messages are read by the names of their types."""
    if isinstance(data, Mapping):
        if "@type" in data:
            message_class(data["@type"].rpartition("/")[2])
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            _load_types(item)


def _serving(root: SigningPair) -> SigningPair:
    """A certificate for the control plane's own name."""
    key = ec_key()
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("istiod.istio-system.svc")]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()), critical=False)
    )
    return SigningPair(builder.sign(root.key, hashes.SHA256()), key)


def _load(context: ssl.SSLContext, pair: SigningPair) -> None:
    """`ssl` reads files only."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "pair.pem"
        file.write_bytes(pair.pem + key_pem(pair.key))
        context.load_cert_chain(file)
