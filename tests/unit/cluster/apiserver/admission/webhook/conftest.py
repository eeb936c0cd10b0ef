from __future__ import annotations

import base64
import datetime as dt
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.pki.authority import Authority, Subject

PEM = serialization.Encoding.PEM
Answer = Callable[[dict[str, Any]], Any]


class Server:
    """A TLS webhook on loopback: paths answer as the test says."""

    def __init__(self, port: int, ca_bundle: str, answers: dict[str, Answer]) -> None:
        self.port = port
        self.ca_bundle = ca_bundle
        self.answers = answers
        self.seen: list[dict[str, Any]] = []
        self.connections: set[Any] = set()

    def on(self, path: str, answer: Answer) -> None:
        self.answers[path] = answer

    def allow(self, path: str, patch: list[Any] | None = None, **response: Any) -> None:
        extra = {"patch": base64.b64encode(json.dumps(patch).encode()).decode(), "patchType": "JSONPatch"}
        self.on(path, lambda _: {"allowed": True, **(extra if patch is not None else {}), **response})

    def deny(self, path: str, message: str) -> None:
        self.on(path, lambda _: {"allowed": False, "status": {"message": message, "code": 403}})

    def webhook(self, path: str, **fields: Any) -> dict[str, Any]:
        """A webhook entry that leads to `path`."""
        return {
            "name": f"{path}.acme.com",
            "clientConfig": {"url": f"https://127.0.0.1:{self.port}/{path}", "caBundle": self.ca_bundle},
            "rules": [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            **fields,
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        review = await request.json()
        self.connections.add(request.transport)
        self.seen.append({"path": request.path.lstrip("/"), "host": request.host, "review": review})
        answered = self.answers[request.path.lstrip("/")](review["request"])
        if isinstance(answered, Awaitable):
            answered = await answered
        if isinstance(answered, web.StreamResponse):
            return answered
        response = {"uid": review["request"]["uid"], **answered}
        return web.json_response({**review, "request": None, "response": response})

    @property
    def paths(self) -> list[str]:
        return [seen["path"] for seen in self.seen]


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create("webhooks", dt.datetime.now(dt.UTC))


@pytest.fixture
async def server(authority: Authority, tmp_path: Path) -> AsyncIterator[Server]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = Subject("webhook", dns_names=("hook.ns.svc",), addresses=(IPv4Address("127.0.0.1"),), server=True)
    certificate = authority.issue(subject, key.public_key(), dt.timedelta(hours=1), dt.datetime.now(dt.UTC))
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pair = tmp_path / "webhook.pem"
    pair.write_bytes(private + certificate.public_bytes(PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair)
    served = Server(0, base64.b64encode(authority.certificate.public_bytes(PEM)).decode(), {})
    application = web.Application()
    application.router.add_post("/{path:.*}", served.handle)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    served.port = runner.addresses[0][1]
    yield served
    await runner.cleanup()


@pytest.fixture
def configure(store: Store) -> Callable[..., Awaitable[None]]:
    """`await configure("mutating", "name", webhook, ...)` stores a configuration."""

    async def run(which: str, name: str, *webhooks: dict[str, Any]) -> None:
        resource = ("admissionregistration.k8s.io", f"{which}webhookconfigurations")
        await store.create(resource, {"metadata": {"name": name}, "webhooks": list(webhooks)})

    return run
