"""The messages of `istio.v1.auth.IstioCertificateService` (istio/api security/v1alpha1/ca.proto), from and to bytes.

The types are described here and made at import, in a descriptor pool of their own: no generated code.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2
from google.protobuf.message import DecodeError

from lateen.identity.issuing import CertificateRequest

SERVICE: Final = "istio.v1.auth.IstioCertificateService"
METHOD: Final = "CreateCertificate"

_SIGNER, _IMPERSONATED = "CertSigner", "ImpersonatedIdentity"
"""Fields of the request's metadata (Istio: pkg/security)."""


def _message_types() -> tuple[Any, Any]:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="security/v1alpha1/ca.proto",
        package="istio.v1.auth",
        syntax="proto3",
        dependency=["google/protobuf/struct.proto"],
    )
    asked = file.message_type.add(name="IstioCertificateRequest")
    once = field.LABEL_OPTIONAL
    asked.field.add(name="csr", number=1, type=field.TYPE_STRING, label=once)
    asked.field.add(name="validity_duration", number=3, type=field.TYPE_INT64, label=once)
    asked.field.add(name="metadata", number=4, type=field.TYPE_MESSAGE, type_name=".google.protobuf.Struct", label=once)
    answer = file.message_type.add(name="IstioCertificateResponse")
    answer.field.add(name="cert_chain", number=1, type=field.TYPE_STRING, label=field.LABEL_REPEATED)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    types = [pool.FindMessageTypeByName(f"{file.package}.{each.name}") for each in (asked, answer)]
    made = [message_factory.GetMessageClass(each) for each in types]
    return made[0], made[1]


Request, Response = _message_types()
"""The classes of the two messages."""


def decode_request(content: bytes) -> CertificateRequest:
    """Raises ValueError."""
    try:
        found = Request.FromString(content)
    except DecodeError as error:
        raise ValueError("not an IstioCertificateRequest") from error
    fields = found.metadata.fields
    return CertificateRequest(
        csr=found.csr,
        seconds=found.validity_duration,
        signer=fields[_SIGNER].string_value if _SIGNER in fields else "",
        impersonated=fields[_IMPERSONATED].string_value if _IMPERSONATED in fields else "",
    )


def encode_response(chain: tuple[str, ...]) -> bytes:
    """`chain`: one PEM each, the leaf first, roots last."""
    content: bytes = Response(cert_chain=chain).SerializeToString()
    return content
