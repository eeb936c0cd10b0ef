"""The whole control plane and clients that are not ours: tokens of real pods, certificates, configuration, and all that
is not to be had."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import grpc.aio
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from envoy.service.discovery.v3 import discovery_pb2

from lateen.identity.limits import IssueLimits
from lateen.identity.messages import Request, Response
from lateen.testing.authorities import ec_key, key_pem, signing_request, verified_names
from lateen.testing.istiod import IstiodProcess
from lateen.testing.local_cluster import LocalCluster
from lateen.testing.raw_ads import delta_request, raw_stream
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap
from lateen.translate.resource import ResourceType

pytestmark = pytest.mark.cluster

CREATE = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
PODS = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, labels: {app: web}}
spec: {serviceAccountName: web, nodeSelector: {never: scheduled}, containers: [{name: app, image: none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-3, labels: {app: web}}
spec: {serviceAccountName: web, nodeSelector: {never: scheduled}, containers: [{name: app, image: none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-2, labels: {app: web}}
spec: {serviceAccountName: web, nodeSelector: {never: scheduled}, containers: [{name: app, image: none}]}
"""


class Mesh:
    """A control plane in the namespace `system`, and pods in `space`."""

    def __init__(self, cluster: LocalCluster, istiod: IstiodProcess, system: str, space: str) -> None:
        self.cluster = cluster
        self.istiod = istiod
        self.system = system
        self.space = space
        self.port = int(istiod.until_ready()["secure_xds"].rpartition(":")[2])
        self.roots = cluster.kubectl(
            "get", "configmap", "istio-ca-root-cert", "-n", space, "-o", r"jsonpath={.data.root-cert\.pem}"
        )

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def token(self, pod: str = "web-1", audience: str = "istio-ca") -> str:
        reference = {"apiVersion": "v1", "kind": "Pod", "name": pod}
        return self.cluster.token("web", self.space, audiences=[audience], boundObjectRef=reference)

    def credentials(self, pair: tuple[bytes, bytes] | None = None) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self.roots.encode(), *(pair or (None, None)))

    async def create(
        self, token: str, *metadata: tuple[str, str], csr: str = "", pair: tuple[bytes, bytes] | None = None
    ) -> tuple[str, ...]:
        """The chain; raises AioRpcError."""
        async with grpc.aio.secure_channel(self.address, self.credentials(pair)) as channel:
            call = channel.unary_unary(CREATE, response_deserializer=Response.FromString)
            given = (("authorization", f"Bearer {token}"), *metadata) if token else metadata
            request = Request(csr=csr or signing_request(ec_key()), validity_duration=3600)
            return tuple((await call(request.SerializeToString(), metadata=given, timeout=120)).cert_chain)

    async def refusal(self, token: str, *metadata: tuple[str, str], **more: Any) -> str:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.create(token, *metadata, **more)
        return caught.value.code().name

    async def pair(self, pod: str = "web-1") -> tuple[bytes, bytes]:
        """Key and chain of a pod, as its agent gets them."""
        key = ec_key()
        chain = await self.create(await asyncio.to_thread(self.token, pod), csr=signing_request(key))
        return key_pem(key), "".join(chain[:-1]).encode()

    def node(self, space: str = "") -> str:
        space = space or self.space
        return f"sidecar~10.0.0.1~web-1.{space}~{space}.svc.cluster.local"

    async def clusters(
        self, credentials: grpc.ChannelCredentials, *metadata: tuple[str, str], space: str = ""
    ) -> set[str]:
        """What ADS says first; raises AioRpcError."""
        request = delta_request(ResourceType.CDS, node=self.node(space))
        async with grpc.aio.secure_channel(self.address, credentials) as channel:
            method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
            call = channel.stream_stream(method)(metadata=metadata)
            await call.write(request)
            async with asyncio.timeout(60):
                answer = discovery_pb2.DeltaDiscoveryResponse.FromString(await call.read())
            call.cancel()
            return {resource.name for resource in answer.resources}


@pytest.fixture(scope="module")
def mesh(control: LocalCluster) -> Iterator[Mesh]:
    system, space = control.namespace(), control.namespace()
    control.apply(PODS, "-n", space)
    environment = {"POD_NAMESPACE": system, "ISTIOD_CUSTOM_HOST": "localhost"}
    with IstiodProcess(
        "--kubeconfig", str(control.kubeconfig), "--issue-certificates", environment=environment
    ) as istiod:
        istiod.until_ready()
        control.wait_for("{.data}", "configmap", "istio-ca-root-cert", "-n", space)
        yield Mesh(control, istiod, system, space)
    for each in (system, space):
        control.kubectl("delete", "namespace", each, "--wait=false")


# --- what is to be had ---------------------------------------------------------------------------------------------


async def test_a_grpc_client_gets_a_certificate_and_configuration(mesh: Mesh) -> None:
    key = ec_key()
    forged = ("spiffe://cluster.local/ns/kube-system/sa/admin", f"spiffe://cluster.local/ns/{mesh.system}/sa/istiod")
    csr = signing_request(key, uris=forged, common_name="admin")
    leaf, *path = await mesh.create(await asyncio.to_thread(mesh.token), csr=csr)
    uris, chain = verified_names((leaf, *path[:-1]), (mesh.roots,))
    assert uris == [f"spiffe://cluster.local/ns/{mesh.space}/sa/web"]
    assert "CN=web-1" in chain[0].subject.rfc4514_string()
    pair = key_pem(key), "".join((leaf, *path[:-1])).encode()
    expected = f"outbound|80||web.{mesh.space}.svc.cluster.local"
    assert expected in await mesh.clusters(mesh.credentials(pair))
    token = await asyncio.to_thread(mesh.token)
    assert expected in await mesh.clusters(mesh.credentials(), ("authorization", f"Bearer {token}"))
    # Renewal: the certificate is proof enough, and facts go on.
    again, *_ = await mesh.create("", pair=pair)
    assert "CN=web-1" in verified_names((again,), (mesh.roots,))[1][0].subject.rfc4514_string()


async def test_an_envoy_with_a_bootstrap_by_hand_is_configured(mesh: Mesh, tmp_path: Path) -> None:
    key, chain = await mesh.pair()
    own = {"certificate_chain": {"inline_string": chain.decode()}, "private_key": {"inline_string": key.decode()}}
    files = {}
    for name, place, content in (
        ("default", "workload", {"tls_certificate": own}),
        ("ROOTCA", "roots", {"validation_context": {"trusted_ca": {"inline_string": mesh.roots}}}),
    ):
        kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
        files[place] = str(tmp_path / f"{place}.json")
        (tmp_path / f"{place}.json").write_text(json.dumps({"resources": [{"@type": kind, "name": name, **content}]}))
    metadata = {"NAMESPACE": mesh.space, "INTERCEPTION_MODE": "NONE", "LATEEN_CERTIFICATES": files}
    bootstrap = ads_bootstrap(mesh.node(), mesh.port, metadata=metadata)
    (upstream,) = bootstrap["static_resources"]["clusters"]
    upstream["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": f"istiod.{mesh.system}.svc",
            "common_tls_context": {
                "tls_certificates": [own],
                "validation_context": {
                    "trusted_ca": {"inline_string": mesh.roots},
                    "match_typed_subject_alt_names": [
                        {"san_type": "DNS", "matcher": {"exact": f"istiod.{mesh.system}.svc"}}
                    ],
                },
            },
        },
    }

    def configured() -> None:
        with RunningEnvoy(bootstrap) as envoy:
            envoy.until(lambda: f"outbound|80||web.{mesh.space}.svc.cluster.local" in envoy.clusters())

    await asyncio.to_thread(configured)


# --- what is not ---------------------------------------------------------------------------------------------------


async def test_tokens_that_prove_nothing(mesh: Mesh) -> None:
    good = await asyncio.to_thread(mesh.token)
    head, body, signature = good.split(".")
    key = rsa.generate_private_key(65537, 2048)
    signed = key.sign(f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    foreign = f"{head}.{body}.{base64.urlsafe_b64encode(signed).decode().rstrip('=')}"
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    expired = base64.urlsafe_b64encode(json.dumps({**claims, "exp": 1}).encode()).decode().rstrip("=")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for bad in (
        "",
        "nonsense",
        foreign,
        f"{head}.{expired}.{signature}",
        f"{unsigned}.{body}.",
        await asyncio.to_thread(mesh.token, audience="someone-else"),
    ):
        assert await mesh.refusal(bad) == "UNAUTHENTICATED"
        with pytest.raises(grpc.aio.AioRpcError):
            await mesh.clusters(mesh.credentials(), ("authorization", f"Bearer {bad}"))
    assert await mesh.refusal(good, ("clusterid", "another")) == "UNAUTHENTICATED"


async def test_a_token_dies_with_its_pod(mesh: Mesh) -> None:
    token = await asyncio.to_thread(mesh.token, "web-2")
    await mesh.create(token)
    delete = ("delete", "pod", "web-2", "-n", mesh.space, "--grace-period=0", "--force")
    await asyncio.to_thread(mesh.cluster.kubectl, *delete)
    assert await mesh.refusal(token) == "UNAUTHENTICATED"


async def test_nobody_is_configured_as_another(mesh: Mesh) -> None:
    pair = await mesh.pair()
    token = await asyncio.to_thread(mesh.token)
    for credentials, metadata in (
        (mesh.credentials(pair), ()),
        (mesh.credentials(), (("authorization", f"Bearer {token}"),)),
    ):
        with pytest.raises(grpc.aio.AioRpcError):
            await mesh.clusters(credentials, *metadata, space="default")
    forged = f'Cert="{quote(pair[1].decode())}";URI=spiffe://cluster.local/ns/{mesh.space}/sa/web'
    assert await mesh.refusal("", ("x-forwarded-client-cert", forged)) == "UNAUTHENTICATED"
    with pytest.raises(grpc.aio.AioRpcError):
        await mesh.clusters(mesh.credentials(), ("x-forwarded-client-cert", forged))
    # In plain text there are no certificates to be had.
    async with grpc.aio.insecure_channel(mesh.istiod.addresses["xds"]) as channel:
        call = channel.unary_unary(CREATE, response_deserializer=Response.FromString)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"", metadata=(("authorization", f"Bearer {token}"), ("x-forwarded-client-cert", forged)))
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_one_pod_cannot_ask_for_ever(mesh: Mesh) -> None:
    token = await asyncio.to_thread(mesh.token, "web-3")

    async def one() -> str:
        try:
            await mesh.create(token)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    limits, began = IssueLimits(), time.monotonic()
    outcomes = await asyncio.gather(*(one() for _ in range(60)))
    assert set(outcomes) <= {"OK", "RESOURCE_EXHAUSTED"}
    assert outcomes.count("OK") <= limits.pod_burst + limits.pod_per_second * (time.monotonic() - began) + 1
    assert await mesh.refusal(await asyncio.to_thread(mesh.token), csr="x" * 40_000) == "INVALID_ARGUMENT"


async def test_a_stream_survives_the_rotation_of_the_root(mesh: Mesh) -> None:
    pair = await mesh.pair()
    credentials = mesh.credentials(pair)
    async with raw_stream(
        mesh.address, delta_request(ResourceType.CDS, node=mesh.node()), credentials=credentials
    ) as stream:
        first = await stream.read()
        await stream.send(delta_request(ResourceType.CDS, nonce=first.nonce))
        annotate = ("annotate", "secret", "istio-ca-secret", "-n", mesh.system, "lateen.io/rotate-root=now")
        await asyncio.to_thread(mesh.cluster.kubectl, *annotate)

        def both() -> bool:
            found = mesh.cluster.get("configmap", "istio-ca-root-cert", "-n", mesh.space)["data"]["root-cert.pem"]
            return bool(found.count("BEGIN CERTIFICATE") == 2)

        async with asyncio.timeout(60):
            while not await asyncio.to_thread(both):
                await asyncio.sleep(0.1)
        added = "apiVersion: v1\nkind: Service\nmetadata: {name: later}\nspec: {ports: [{name: http, port: 81}]}\n"
        await asyncio.to_thread(mesh.cluster.apply, added, "-n", mesh.space)
        async with asyncio.timeout(60):
            names: set[str] = set()
            while f"outbound|81||later.{mesh.space}.svc.cluster.local" not in names:
                answer = await stream.read()
                assert answer is not None
                names |= {resource.name for resource in answer.resources}
    # Certificates of before are still good.
    assert await mesh.clusters(mesh.credentials(pair))


# --- what else listens ---------------------------------------------------------------------------------------------


async def test_metrics_count_what_has_happened(mesh: Mesh) -> None:
    await mesh.pair()
    status, text = await asyncio.to_thread(mesh.istiod.get, "/metrics")
    assert status == 200
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(found["citadel_server_success_cert_issuance_count"]) > 0
    assert float(found["lateen_front_starts_total"]) == 1
