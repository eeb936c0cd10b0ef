"""What xDS over TLS is served with, from files."""

from __future__ import annotations

import ssl

import grpc

from lateen.istiod.configuration import Certificates
from lateen.xds.authentication import Authenticator, MutualTls, NoAuthentication


def credentials(files: Certificates) -> tuple[grpc.ServerCredentials, Authenticator]:
    """The server's credentials, and how clients prove who they are.

    Raises OSError that names the file when one cannot be read, or is not what it should be: gRPC would say that it
    cannot listen.
    """
    pair = files.key.read_bytes(), files.certificate.read_bytes()
    roots = files.roots.read_bytes() if files.roots is not None else None
    _check(files)
    if roots is None:
        return grpc.ssl_server_credentials([pair]), NoAuthentication()
    return grpc.ssl_server_credentials([pair], roots, require_client_auth=True), MutualTls()


def _check(files: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate, files.key, password="")
    except ssl.SSLError as error:
        raise OSError(f"{files.certificate}, {files.key}: not a certificate chain and its key: {error}") from error
    if files.roots is None:
        return
    try:
        context.load_verify_locations(files.roots)
    except ssl.SSLError as error:
        raise OSError(f"{files.roots}: no certificates: {error}") from error
