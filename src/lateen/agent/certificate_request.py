"""One request for a certificate: POST /v1/certificates over HTTPS (docs/identity.md). Only for the helper process."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from typing import Any, NamedTuple

from lateen.agent.host_port import split
from lateen.agent.settings import CertificateSettings

__all__ = ["Answer", "NotCertified", "request"]

_PATH = "/v1/certificates"
_SECONDS = 10.0
"""For each step of the exchange."""
_MOST = 1 << 20
"""Bytes of an answer."""
_LONGEST_TOKEN = 64 * 1024


class NotCertified(Exception):
    """There is no certificate; says why. `retry_after` is what the authority asks for, in seconds."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Answer(NamedTuple):
    """PEM, each of one certificate."""

    chain: tuple[str, ...]
    roots: tuple[str, ...]


def request(settings: CertificateSettings, csr: str, shown: str = "") -> Answer:
    """Raises NotCertified.

    `shown` is the certificate and key in force (PEM), or nothing. It is shown along with the token, so that one of them
    suffices; if the connection fails with it, it is tried without: a server may refuse a certificate it does not know.
    """
    token = _token(settings.token, needed=not shown)
    body = json.dumps({"csr": csr, "validitySeconds": int(settings.lifetime)}).encode()
    headers = {"Content-Type": "application/json", "clusterid": settings.cluster}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        if shown:
            try:
                return _exchange(settings, _showing(_context(settings.roots), shown), headers, body)
            except (ssl.SSLError, ConnectionResetError, BrokenPipeError, http.client.HTTPException):
                if not token:
                    raise
        return _exchange(settings, _context(settings.roots), headers, body)
    except ssl.SSLCertVerificationError as problem:
        raise NotCertified(
            f"{settings.address}: its certificate is not of {settings.server_name} by the roots in {settings.roots}: "
            f"{problem.verify_message}"
        ) from None
    except (OSError, http.client.HTTPException) as problem:
        raise NotCertified(f"{settings.address}: {str(problem) or type(problem).__name__}") from None


def _token(path: str, *, needed: bool) -> str:
    try:
        with open(path, encoding="ascii") as file:
            token = file.read(_LONGEST_TOKEN).strip()
    except (OSError, UnicodeError) as problem:
        if not needed:
            return ""
        words = problem.strerror if isinstance(problem, OSError) else "is not a token"
        raise NotCertified(f"the token {path}: {words}") from None
    if needed and not token:
        raise NotCertified(f"the token {path} is empty")
    return token


def _context(roots: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=roots)
    except (OSError, ssl.SSLError) as problem:
        raise NotCertified(f"the roots {roots}: {problem.strerror or problem}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The Subject of a workload's certificate tells its name, and anybody may call a workload like the authority.
    context.hostname_checks_common_name = False
    return context


def _showing(context: ssl.SSLContext, shown: str) -> ssl.SSLContext:
    """`ssl` loads certificates from files only: this one is in memory."""
    handle = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(handle, shown.encode())
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)
    return context


def _exchange(settings: CertificateSettings, context: ssl.SSLContext, headers: dict[str, str], body: bytes) -> Answer:
    host, port = split(settings.address)
    with socket.create_connection((host, port), _SECONDS) as plain:
        connection = http.client.HTTPConnection(settings.server_name, port, timeout=_SECONDS)
        connection.sock = context.wrap_socket(plain, server_hostname=settings.server_name)
        try:
            connection.request("POST", _PATH, body, headers)
            answer = connection.getresponse()
            content = answer.read(_MOST + 1)
            retry_after = answer.headers.get("Retry-After", "")
        finally:
            connection.close()
    return _read(settings.address, answer.status, retry_after, content)


def _read(address: str, status: int, retry_after: str, content: bytes) -> Answer:
    try:
        found: Any = json.loads(content)
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        found = {}
    if status != 200:
        words = found.get("message") or content[:200].decode(errors="replace").strip()
        wait = float(retry_after) if retry_after.isdigit() else 0.0
        raise NotCertified(f"{address}: {status} {found.get('error', '')} {words}", wait)
    chain, roots = _texts(found.get("chain")), _texts(found.get("roots"))
    if len(content) > _MOST or not chain or not roots:
        raise NotCertified(f"{address}: the answer has no chain and roots of certificates")
    return Answer(chain, roots)


def _texts(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        return ()
    return tuple(found)
