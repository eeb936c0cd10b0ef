"""Where an API server is and how to prove who we are: kubeconfig files and the in-cluster service account.

Sources: the fields of kubectl's kubeconfig (`clientcmd/api/v1`), and the files and variables that a Pod is given.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_REREAD_SECONDS = 60.0


class AccessError(ValueError):
    """Credentials that cannot be used; the message says which part and why."""


class Access:
    """How to reach one API server.

    Files that somebody else rotates (token, CA, client certificate) are read again: the token after a minute, as
    client-go does, and the rest whenever a new `ssl_context` is asked for.
    """

    def __init__(
        self,
        server: str,
        *,
        token: str = "",
        token_file: Path | None = None,
        ca: bytes | None = None,
        ca_file: Path | None = None,
        certificate: tuple[bytes, bytes] | None = None,
        certificate_files: tuple[Path, Path] | None = None,
        verify: bool = True,
        server_name: str = "",
        user: tuple[str, str] | None = None,
        namespace: str = "default",
    ) -> None:
        self.server = server.rstrip("/")
        """`https://host:port`"""
        self.server_name = server_name
        """The name its certificate must have, where it is not that of the URL."""
        self.namespace = namespace
        """Meant by those who name none: the kubeconfig context's, or a Pod's own."""
        self._token = token
        self._token_file = token_file
        self._token_read = 0.0
        self._ca = ca
        self._ca_file = ca_file
        self._certificate = certificate
        self._certificate_files = certificate_files
        self._verify = verify
        self._user = user

    def forget_token(self) -> None:
        """The server refused the token: read the file again before the next request."""
        self._token_read = 0.0

    def headers(self) -> dict[str, str]:
        """The credentials of a request. Raises AccessError when the token file cannot be read and never could."""
        token = self._current_token()
        if token:
            return {"Authorization": f"Bearer {token}"}
        if self._user is not None:
            pair = base64.b64encode(":".join(self._user).encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}

    def _current_token(self) -> str:
        if self._token_file is None:
            return self._token
        now = time.monotonic()
        if self._token and self._token_read and now - self._token_read < _REREAD_SECONDS:
            return self._token
        try:
            self._token = self._token_file.read_text().strip()
            self._token_read = now
        except (OSError, UnicodeDecodeError) as error:
            # The last token may still do; the server is the judge.
            if not self._token:
                raise AccessError(f"token file {self._token_file}: {error}") from error
        return self._token

    def ssl_context(self) -> ssl.SSLContext | None:
        """None for plain HTTP. Raises AccessError for certificates that cannot be read."""
        if not self.server.startswith("https://"):
            return None
        try:
            context = ssl.create_default_context(
                cafile=str(self._ca_file) if self._ca_file else None,
                cadata=self._ca.decode("ascii") if self._ca else None,
            )
            if not self._verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self._certificate_files is not None:
                context.load_cert_chain(*self._certificate_files)
            elif self._certificate is not None:
                _load_pair(context, *self._certificate)
        except (OSError, ValueError) as error:
            raise AccessError(f"certificates for {self.server}: {error}") from error
        return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """OpenSSL reads key pairs from files alone."""
    with tempfile.NamedTemporaryFile(prefix="lateen-client-") as file:
        file.write(certificate.rstrip() + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)


def in_cluster(environment: Mapping[str, str] | None = None, directory: Path = SERVICE_ACCOUNT) -> Access:
    """The service account of the Pod we run in. Raises AccessError outside of one."""
    env = os.environ if environment is None else environment
    host, port = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise AccessError("not in a Pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    if ":" in host:
        host = f"[{host}]"
    for name in ("token", "ca.crt"):
        if not (directory / name).exists():
            raise AccessError(f"the service account lacks {directory / name}")
    try:
        namespace = (directory / "namespace").read_text().strip()
    except OSError:
        namespace = ""
    return Access(
        f"https://{host}:{port}",
        token_file=directory / "token",
        ca_file=directory / "ca.crt",
        namespace=namespace or "default",
    )


def from_kubeconfig(path: Path, context: str = "") -> Access:
    """Access by a context of a kubeconfig (its current one by default). Raises AccessError, which names the entry."""
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AccessError(f"kubeconfig {path}: {error}") from error
    if not isinstance(config, dict):
        raise AccessError(f"kubeconfig {path}: not a mapping")
    name = context or str(config.get("current-context") or "")
    if not name:
        raise AccessError(
            f"kubeconfig {path}: no current-context; name one of: {', '.join(_names(config, 'contexts'))}"
        )
    chosen = _entry(path, config, "contexts", name, "context")
    cluster = _entry(path, config, "clusters", str(chosen.get("cluster", "")), "cluster")
    user = _entry(path, config, "users", str(chosen["user"]), "user") if chosen.get("user") else {}
    return _access(path, cluster, user, str(chosen.get("namespace") or "default"))


def _names(config: Mapping[str, Any], section: str) -> list[str]:
    return [str(entry["name"]) for entry in config.get(section) or () if isinstance(entry, dict) and "name" in entry]


def _entry(path: Path, config: Mapping[str, Any], section: str, name: str, field: str) -> Mapping[str, Any]:
    for entry in config.get(section) or ():
        if isinstance(entry, dict) and entry.get("name") == name:
            found = entry.get(field)
            return found if isinstance(found, dict) else {}
    known = ", ".join(_names(config, section)) or "none"
    raise AccessError(f"kubeconfig {path}: {section} has no {name!r}; it has: {known}")


def _access(path: Path, cluster: Mapping[str, Any], user: Mapping[str, Any], namespace: str) -> Access:
    server = str(cluster.get("server") or "")
    if not server.startswith(("https://", "http://")):
        raise AccessError(f"kubeconfig {path}: server {server!r} is not an http(s) URL")
    if cluster.get("proxy-url"):
        raise AccessError(f"kubeconfig {path}: proxy-url is not supported")
    for name in ("exec", "auth-provider", "as"):
        if user.get(name):
            raise AccessError(
                f"kubeconfig {path}: users that authenticate by {name!r} are not supported; use a token, a tokenFile "
                "or a client certificate"
            )
    certificate, key = _data(path, user, "client-certificate"), _data(path, user, "client-key")
    files = _file(path, user, "client-certificate"), _file(path, user, "client-key")
    pair = (certificate, key) if certificate is not None and key is not None else None
    if pair is None and (certificate is not None or key is not None):
        # One of the two inline, the other in a file: read it now.
        pair = certificate or _read(files[0]), key or _read(files[1])
    named = user.get("username"), user.get("password")
    return Access(
        server,
        token=str(user.get("token") or ""),
        token_file=None if user.get("token") else _file(path, user, "tokenFile"),
        ca=_data(path, cluster, "certificate-authority"),
        ca_file=_file(path, cluster, "certificate-authority"),
        certificate=pair,
        certificate_files=(files[0], files[1]) if pair is None and files[0] and files[1] else None,
        verify=not cluster.get("insecure-skip-tls-verify"),
        server_name=str(cluster.get("tls-server-name") or ""),
        user=(str(named[0]), str(named[1])) if named[0] and named[1] else None,
        namespace=namespace,
    )


def _data(path: Path, entry: Mapping[str, Any], field: str) -> bytes | None:
    text = entry.get(f"{field}-data")
    if not text:
        return None
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise AccessError(f"kubeconfig {path}: {field}-data is not base64: {error}") from error


def _file(path: Path, entry: Mapping[str, Any], field: str) -> Path | None:
    """Relative paths are relative to the kubeconfig."""
    return path.parent / str(entry[field]) if entry.get(field) else None


def _read(file: Path | None) -> bytes:
    if file is None:
        raise AccessError("a client certificate needs both client-certificate and client-key")
    try:
        return file.read_bytes()
    except OSError as error:
        raise AccessError(f"{file}: {error}") from error
