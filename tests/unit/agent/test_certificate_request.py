"""Whom an agent takes for the authority."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from lateen.agent.certificate_request import NotCertified, request
from lateen.agent.settings import CertificateSettings
from lateen.identity.facts import WorkloadFacts
from lateen.identity.self_signed import self_signed
from lateen.identity.serving import load_pair
from lateen.identity.signing import sign, sign_leaf
from lateen.model.identity import PeerIdentity
from lateen.testing.authorities import ec_key, key_pem

_NAME = "istiod.istio-system.svc"


class _Server:
    """Speaks TLS with a certificate of the mesh, and answers 503 to everything."""

    def __init__(self, *, workload: bool) -> None:
        """`workload`: with the certificate of a workload of the control plane's name, instead of its own."""
        self.root, key, now = self_signed(datetime.now(UTC)), ec_key(), datetime.now(UTC)
        if workload:
            identity, facts = PeerIdentity("shop", "default", "cluster.local"), WorkloadFacts(_NAME, "shop")
            issued = sign(self.root, key.public_key(), identity, facts, now=now)
        else:
            names, life = [x509.DNSName(_NAME)], self.root.not_after - now
            issued = sign_leaf(self.root, key.public_key(), x509.Name([]), names, now=now, life=life)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        load_pair(self._context, issued.certificate, key_pem(key).decode())
        self.seen = b""
        """Of all that callers have sent."""

    async def asked(self, directory: Path) -> str:
        """Why an agent gets no certificate here."""
        roots, token = directory / "roots.pem", directory / "token"
        roots.write_text(self.root.bundle)
        token.write_text("the-token")
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self._context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            settings = CertificateSettings(
                address=f"127.0.0.1:{port}", server_name=_NAME, roots=str(roots), token=str(token)
            )
            with pytest.raises(NotCertified) as refusal:
                await asyncio.to_thread(request, settings, "csr")
        return str(refusal.value)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen += await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Not now\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


async def test_the_control_plane_is_known_by_its_alternative_name(tmp_path: Path) -> None:
    server = _Server(workload=False)
    assert "503" in await server.asked(tmp_path)
    assert b"Bearer the-token" in server.seen


async def test_a_workload_that_is_called_like_the_control_plane_is_not_it(tmp_path: Path) -> None:
    """Subjects tell the names of workloads, and anybody may call a Deployment `istiod.istio-system.svc`."""
    server = _Server(workload=True)
    assert f"its certificate is not of {_NAME}" in await server.asked(tmp_path)
    assert not server.seen
