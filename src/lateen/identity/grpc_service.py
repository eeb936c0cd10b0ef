"""`IstioCertificateService` over gRPC, as Istio's agents, ztunnel and others speak it."""

from __future__ import annotations

from typing import Final

import grpc
import grpc.aio

from lateen.identity.front_headers import evidence, headers_of
from lateen.identity.issuing import Issuer, NotIssued, Reason
from lateen.identity.messages import METHOD, SERVICE, decode_request, encode_response
from lateen.identity.signing import LARGEST_REQUEST

_LARGEST_MESSAGE: Final = LARGEST_REQUEST + 4096


def handler(issuer: Issuer) -> grpc.GenericRpcHandler:
    """For a server that nobody but the TLS front can reach, beside whatever else it serves."""

    async def create(content: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        try:
            if len(content) > _LARGEST_MESSAGE:
                raise NotIssued(Reason.INVALID_ARGUMENT, f"at most {_LARGEST_MESSAGE} bytes are read")
            try:
                request = decode_request(content)
            except ValueError as error:
                raise NotIssued(Reason.INVALID_ARGUMENT, str(error)) from None
            shown = evidence(headers_of(context.invocation_metadata()))
            return encode_response((await issuer.issue(shown, request)).chain)
        except NotIssued as refusal:
            metadata = (("retry-after", f"{refusal.retry_after:.0f}"),) if refusal.retry_after else ()
            await context.abort(grpc.StatusCode[refusal.reason.value], str(refusal), metadata)
            raise AssertionError("unreachable") from None

    return grpc.method_handlers_generic_handler(SERVICE, {METHOD: grpc.unary_unary_rpc_method_handler(create)})
