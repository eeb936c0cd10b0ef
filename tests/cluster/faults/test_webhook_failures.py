"""Webhooks that fail in every way: the request in question fails or goes on as the policy says, others never notice."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster


def certificate(directory: Path, name: str) -> tuple[str, ssl.SSLContext]:
    """A self-signed certificate for 127.0.0.1: its caBundle, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / name).write_bytes(pem + secret)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / name)
    return base64.b64encode(pem).decode(), context


@dataclass
class WebhookServer:
    """Answers by path. `hang` holds calls until the server ends."""

    port: int = 0
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        review = await request.json()
        right: dict[str, Any] = {"uid": review["request"]["uid"], "allowed": True}
        envelope = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
        match request.path:
            case "/hang":
                self.hanging.set()
                await self.ended.wait()
            case "/text":
                return web.Response(text="certainly")
            case "/uid":
                return web.json_response({**envelope, "response": {**right, "uid": "other"}})
            case "/empty":
                return web.json_response(envelope)
            case "/broken":
                return web.Response(status=500, text="out of order")
            case "/patch":
                patch = base64.b64encode(b'[{"op": "remove", "path": "/nowhere"}]').decode()
                return web.json_response({**envelope, "response": {**right, "patchType": "JSONPatch", "patch": patch}})
        return web.json_response({**envelope, "response": right})


@asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[WebhookServer]:
    server = WebhookServer()
    app = web.Application()
    app.router.add_post("/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        server.ended.set()
        await runner.cleanup()


def configuration(room: str, policy: str, bundle: str, client: dict[str, Any], timeout: int = 10) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": room},
        "webhooks": [
            {
                "name": "faulty.example.org",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "timeoutSeconds": timeout,
                "failurePolicy": policy,
                "clientConfig": {"caBundle": bundle, **client},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": room}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}],
            }
        ],
    }


async def test_every_failure_is_told_or_ignored(
    fragile: LocalCluster, room: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    collection = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    bundle, context = certificate(tmp_path, "right")
    stranger, _ = certificate(tmp_path, "stranger")
    maps = f"/api/v1/namespaces/{room}/configmaps"
    idle = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "idle"}, "spec": {"ports": [{"port": 443}]}}
    fragile.apply(json.dumps(idle), "-n", room)

    async with serving(context) as server:
        url = f"https://127.0.0.1:{server.port}"
        called = 'failed calling webhook "faulty.example.org": failed to call webhook: '
        cases: list[tuple[dict[str, Any], str, int, str]] = [
            ({"url": f"{url}/hang"}, bundle, 1, f'{called}Post "{url}/hang?timeout=1s": context deadline exceeded'),
            ({"url": f"{url}/text"}, bundle, 10, f"{called}couldn't get version/kind; json parse error"),
            ({"url": f"{url}/uid"}, bundle, 10, "received invalid webhook response: expected response.uid="),
            ({"url": f"{url}/empty"}, bundle, 10, "received invalid webhook response: webhook response was absent"),
            ({"url": f"{url}/broken"}, bundle, 10, f'{called}an error on the server ("out of order") has prevented'),
            ({"url": f"{url}/fine"}, stranger, 10,
             f'{called}Post "{url}/fine?timeout=10s": tls: failed to verify certificate: x509: certificate signed by '
             "unknown authority"),
            ({"url": "https://127.0.0.1:1/fine"}, bundle, 10,
             f'{called}Post "https://127.0.0.1:1/fine?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused'),
            ({"service": {"namespace": room, "name": "absent", "path": "/x"}}, bundle, 10,
             f'{called}Post "https://absent.{room}.svc:443/x?timeout=10s": service "absent" not found'),
            ({"service": {"namespace": room, "name": "idle", "path": "/x"}}, bundle, 10,
             f'{called}Post "https://idle.{room}.svc:443/x?timeout=10s": no endpoints available for service "idle"'),
        ]  # fmt: skip
        async with http.post(collection, json=configuration(room, "Fail", bundle, {"url": f"{url}/fine"})) as answer:
            assert answer.status == 201, await answer.text()
        try:
            async with http.post(maps, json={"metadata": {"name": "fine"}}) as answer:
                assert answer.status == 201, await answer.text()
            for number, (client, ca, timeout, message) in enumerate(cases):
                for policy in ("Fail", "Ignore"):
                    body = configuration(room, policy, ca, client, timeout)
                    async with http.put(f"{collection}/{room}", json=body) as answer:
                        assert answer.status == 200, await answer.text()
                    async with http.post(maps, json={"metadata": {"name": f"{policy.lower()}-{number}"}}) as answer:
                        told = await answer.json()
                    if policy == "Ignore":
                        assert answer.status == 201, told
                    else:
                        assert (answer.status, told["reason"]) == (500, "InternalError"), told
                        assert told["message"].startswith("Internal error occurred: failed calling webhook"), told
                        assert message in told["message"], told
            async with http.get(maps) as answer:
                names = {item["metadata"]["name"] for item in (await answer.json())["items"]}
            assert names - {"kube-root-ca.crt", "fine"} == {f"ignore-{number}" for number in range(len(cases))}

            # A webhook that was called and answered has not failed: its patch is an error whatever the policy.
            body = configuration(room, "Ignore", bundle, {"url": f"{url}/patch"})
            async with http.put(f"{collection}/{room}", json=body) as answer:
                assert answer.status == 200, await answer.text()
            async with http.post(maps, json={"metadata": {"name": "patched"}}) as answer:
                assert (answer.status, (await answer.json())["reason"]) == (500, "InternalError")

            # While one write waits for its webhook, others are through.
            body = configuration(room, "Fail", bundle, {"url": f"{url}/hang"}, 30)
            async with http.put(f"{collection}/{room}", json=body) as answer:
                assert answer.status == 200, await answer.text()
            server.hanging.clear()
            waiting = asyncio.create_task(http.post(maps, json={"metadata": {"name": "waiting"}}))
            await server.hanging.wait()
            for path in (f"/api/v1/namespaces/{room}/secrets", "/api/v1/namespaces/default/configmaps"):
                async with http.post(path, json={"metadata": {"name": room}}) as answer:
                    assert answer.status == 201, await answer.text()
            assert not waiting.done()
            server.ended.set()
            async with await waiting as answer:
                assert answer.status == 201, await answer.text()
        finally:
            async with http.delete(f"{collection}/{room}") as answer:
                assert answer.status == 200, await answer.text()
