"""Where the API server is and how to prove who we are: kubeconfig files and the in-cluster service account.

Sources: client-go `clientcmd` (kubeconfig's fields) and `rest.InClusterConfig`.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_MAX_FILE = 1 << 20
_REREAD_SECONDS = 60.0


class CredentialsError(ValueError):
    """A kubeconfig or service account that cannot be used; the message says which part and why."""


class TokenSource(Protocol):
    """Gives the bearer token of the moment."""

    def token(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FixedToken:
    """A token written in the kubeconfig."""

    value: str = field(repr=False)

    def token(self) -> str:
        return self.value


@dataclass(slots=True)
class TokenFile:
    """A token in a file that somebody else rotates: read again after a minute, as client-go does."""

    path: Path
    _value: str = field(default="", repr=False)
    _read_at: float = float("-inf")

    def token(self) -> str:
        now = time.monotonic()
        if now - self._read_at > _REREAD_SECONDS or not self._value:
            try:
                self._value = _read(self.path).decode().strip()
                self._read_at = now
            except OSError:
                # A rotation in progress must not take away a token that still holds.
                if not self._value:
                    raise
        return self._value


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One API server and the identity to use there. `tls` is None for plain HTTP."""

    server: str
    tls: ssl.SSLContext | None = None
    tokens: TokenSource | None = None
    server_name: str = ""
    namespace: str = "default"


def from_kubeconfig(path: Path | str, context: str = "") -> Endpoint:
    """Reads one context of a kubeconfig (the current one by default). Raises CredentialsError, OSError."""
    path = Path(path)
    try:
        config = yaml.safe_load(_read(path)) or {}
    except yaml.YAMLError as error:
        raise CredentialsError(f"{path}: not YAML: {error}") from None
    if not isinstance(config, dict):
        raise CredentialsError(f"{path}: not a kubeconfig")
    chosen = _named(path, config, "contexts", context or str(config.get("current-context") or ""), "context")
    cluster = _named(path, config, "clusters", str(chosen.get("cluster") or ""), "cluster")
    user = _named(path, config, "users", str(chosen["user"]), "user") if chosen.get("user") else {}
    server = str(cluster.get("server") or "")
    if not server:
        raise CredentialsError(f"{path}: the cluster has no server")
    tls = _tls(path, cluster, user) if server.startswith("https://") else None
    tokens: TokenSource | None = None
    if user.get("tokenFile"):
        tokens = TokenFile(_beside(path, user["tokenFile"]))
    elif user.get("token"):
        tokens = FixedToken(str(user["token"]))
    return Endpoint(
        server.rstrip("/"),
        tls,
        tokens,
        str(cluster.get("tls-server-name") or ""),
        str(chosen.get("namespace") or "default"),
    )


def in_cluster(environment: Mapping[str, str] | None = None, directory: Path = SERVICE_ACCOUNT) -> Endpoint:
    """The service account of the pod this process runs in. Raises CredentialsError outside of a pod."""
    environment = os.environ if environment is None else environment
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise CredentialsError("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: not inside a pod")
    tls = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    shown = f"[{host}]" if ":" in host else host
    try:
        namespace = _read(directory / "namespace").decode().strip()
    except OSError:
        namespace = "default"
    return Endpoint(f"https://{shown}:{port}", tls, TokenFile(directory / "token"), namespace=namespace)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_MAX_FILE + 1)
    if len(data) > _MAX_FILE:
        raise CredentialsError(f"{path}: larger than {_MAX_FILE} bytes")
    return data


def _beside(kubeconfig: Path, name: Any) -> Path:
    """Relative paths in a kubeconfig are relative to its directory."""
    return kubeconfig.parent / str(name)


def _named(path: Path, config: dict[str, Any], section: str, name: str, field_name: str) -> dict[str, Any]:
    for entry in config.get(section) or ():
        if isinstance(entry, dict) and entry.get("name") == name:
            value = entry.get(field_name)
            return value if isinstance(value, dict) else {}
    raise CredentialsError(f'{path}: no {field_name} named "{name}"')


def _data(path: Path, section: dict[str, Any], name: str) -> bytes:
    """`NAME-data` (base64) or the file `NAME` says; empty when neither is there."""
    if section.get(f"{name}-data"):
        try:
            return base64.b64decode(str(section[f"{name}-data"]), validate=True)
        except binascii.Error as error:
            raise CredentialsError(f"{path}: {name}-data is not base64: {error}") from None
    return _read(_beside(path, section[name])) if section.get(name) else b""


def _tls(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    authority = _data(path, cluster, "certificate-authority")
    try:
        tls = ssl.create_default_context(cadata=authority.decode("ascii") if authority else None)
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        certificate, key = _data(path, user, "client-certificate"), _data(path, user, "client-key")
        if certificate and key:
            _load_chain(tls, certificate, key)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{path}: unusable certificates: {error}") from None
    return tls


def _load_chain(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """`ssl` reads keys from files only: give it one in memory, so that no key is written to a disk."""
    with closing(_Memory(certificate.rstrip() + b"\n" + key)) as both:
        tls.load_cert_chain(both.path)


class _Memory:
    def __init__(self, content: bytes) -> None:
        self._fd = os.memfd_create("credentials", os.MFD_CLOEXEC)
        self.path = f"/proc/self/fd/{self._fd}"
        os.write(self._fd, content)

    def close(self) -> None:
        os.close(self._fd)
