"""What an attacker tries from within a pod: `python -m lateen.testing.impostor < ATTEMPTS` prints what came of each.

Attempts are a JSON list of objects: `try` is one of the following, the rest are its arguments. `roots` is the PEM of
the mesh's roots, `host` and `port` are the control plane's.

- `certificate`: POST /v1/certificates of a signing request (`csr`), with `headers`, `token`, `client` (PEMs of a
  certificate and its key) where given. Gives `status` (HTTP) and `body`.
- `configuration`: an xDS stream for `node` (its id) with `metadata`, that asks for resources of `type` by `names` (all,
  if there are none). `plain` for one without TLS. Gives `status` (gRPC), `message`, and the `names` and the `text` of
  what came: whatever of it is readable.
- `issue`: CreateCertificate over gRPC. Gives `status` (gRPC) and `message`.
- `http`: a request for a `url` by `method`. Gives `status` (HTTP; 0: none), `body` and `error`.
"""

from __future__ import annotations

import json
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import json_format

_STREAM = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
_ISSUE = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
_SECONDS = 8.0


def main() -> None:
    given = json.load(sys.stdin)
    print(json.dumps([_KINDS[each.pop("try")](**each) for each in given]))


def certificate(
    host: str,
    port: int,
    roots: str,
    csr: str,
    token: str = "",
    headers: Mapping[str, str] | None = None,
    client: tuple[str, str] | None = None,
) -> dict[str, Any]:
    context = ssl.create_default_context(cadata=roots)
    if client is not None:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("".join(client))
            file.flush()
            context.load_cert_chain(file.name)
    sent = {"content-type": "application/json", **_bearer(token), **(headers or {})}
    body = json.dumps({"csr": csr}).encode()
    return _answer(urllib.request.Request(f"https://{host}:{port}/v1/certificates", body, sent, method="POST"), context)


def http(url: str, method: str = "GET", headers: Mapping[str, str] | None = None, size: int = 0) -> dict[str, Any]:
    """`size`: bytes of a body."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    body = b"[" * size if size else None
    return _answer(urllib.request.Request(url, body, dict(headers or {}), method=method), context)


def configuration(
    host: str,
    port: int,
    node: str,
    type: str,
    names: tuple[str, ...] = (),
    metadata: Mapping[str, Any] | None = None,
    roots: str = "",
    token: str = "",
    headers: Mapping[str, str] | None = None,
    client: tuple[str, str] | None = None,
    plain: bool = False,
) -> dict[str, Any]:
    about = base_pb2.Node(id=node)
    json_format.ParseDict(dict(metadata or {}), about.metadata)
    asked = discovery_pb2.DeltaDiscoveryRequest(node=about, type_url=type, resource_names_subscribe=names)

    def requests() -> Iterator[bytes]:
        yield asked.SerializeToString()
        time.sleep(_SECONDS)

    with _channel(host, port, roots, client, plain) as channel:
        sent = tuple({**_bearer(token), **(headers or {})}.items())
        stream = channel.stream_stream(_STREAM)(requests(), timeout=_SECONDS, metadata=sent)
        try:
            answer = discovery_pb2.DeltaDiscoveryResponse.FromString(next(stream))
        except grpc.RpcError as error:
            return {"status": error.code().name, "message": error.details(), "names": [], "text": ""}
        finally:
            stream.cancel()
    found = sorted(each.name for each in answer.resources)
    text = b"".join(each.resource.value for each in answer.resources).decode("ascii", "replace")
    return {"status": "OK", "message": "", "names": found, "text": text}


def issue(host: str, port: int, roots: str = "", token: str = "", plain: bool = False) -> dict[str, Any]:
    with _channel(host, port, roots, None, plain) as channel:
        try:
            channel.unary_unary(_ISSUE)(b"", timeout=_SECONDS, metadata=tuple(_bearer(token).items()))
        except grpc.RpcError as error:
            return {"status": error.code().name, "message": error.details()}
    return {"status": "OK", "message": ""}


def _channel(host: str, port: int, roots: str, client: tuple[str, str] | None, plain: bool) -> grpc.Channel:
    if plain:
        return grpc.insecure_channel(f"{host}:{port}")
    shown, key = client if client is not None else (None, None)
    credentials = grpc.ssl_channel_credentials(
        roots.encode(), key.encode() if key else None, shown.encode() if shown else None
    )
    return grpc.secure_channel(f"{host}:{port}", credentials)


def _answer(request: urllib.request.Request, context: ssl.SSLContext) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS, context=context) as answer:
            return {"status": answer.status, "body": answer.read().decode(errors="replace"), "error": ""}
    except urllib.error.HTTPError as refused:
        return {"status": refused.code, "body": refused.read().decode(errors="replace"), "error": ""}
    except OSError as error:
        return {"status": 0, "body": "", "error": str(error)}


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


_KINDS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "certificate": certificate,
    "configuration": configuration,
    "issue": issue,
    "http": http,
}

if __name__ == "__main__":
    main()
