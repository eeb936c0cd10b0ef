"""Secrets (SDS) that are files of the proxy's own: only their names pass through the control plane.

As secrets rather than in listeners, a file that is missing or wrong spoils what uses it alone, and one that changes is
read again.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2

from lateen.engine import Reader, query
from lateen.model.gateways import FILE_CERTIFICATE, FILE_ROOTS, FILE_SEPARATOR
from lateen.translate.resource import Recipe, Resource, resource


def is_file(name: str) -> bool:
    """Whether an SDS name stands for files."""
    return name.startswith((FILE_CERTIFICATE, FILE_ROOTS))


def recipe(name: str) -> Recipe:
    """The secret of an SDS name that stands for files."""
    return Recipe(name, file_secret, (name,))


@query
def file_secret(db: Reader, name: str) -> Resource:
    """A certificate and its key, or authorities (and what they have revoked)."""
    if name.startswith(FILE_CERTIFICATE):
        certificate, _, key = name.removeprefix(FILE_CERTIFICATE).partition(FILE_SEPARATOR)
        pair = common_pb2.TlsCertificate()
        pair.certificate_chain.filename = certificate
        pair.private_key.filename = key
        _watch(pair, certificate)
        return resource(name, secret_pb2.Secret(name=name, tls_certificate=pair))
    roots, _, revoked = name.removeprefix(FILE_ROOTS).partition(FILE_SEPARATOR)
    context = common_pb2.CertificateValidationContext()
    context.trusted_ca.filename = roots
    if revoked:
        context.crl.filename = revoked
    _watch(context, roots)
    return resource(name, secret_pb2.Secret(name=name, validation_context=context))


def _watch(message: Any, path: str) -> None:
    message.watched_directory.path = str(PurePosixPath(path).parent)
