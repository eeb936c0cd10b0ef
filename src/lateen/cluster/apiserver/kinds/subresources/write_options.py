"""What the query of a write to a subresource asks for."""

from __future__ import annotations

from typing import Any

from lateen.cluster.apiserver.patch.patch_type import PatchType, patch_type
from lateen.cluster.apiserver.rest import options
from lateen.cluster.apiserver.rest.body import decode_value, media_type, read_body
from lateen.cluster.apiserver.rest.call import Call


def read_write_options(call: Call, kind: str) -> None:
    """Sets the context's write options; `kind` is `CreateOptions`, `UpdateOptions` or `PatchOptions`."""
    query, ctx = call.http.query, call.ctx
    ctx.dry_run = options.dry_run(query, kind)
    ctx.field_validation = options.field_validation(query, kind)
    ctx.field_manager = options.field_manager(query, kind)


async def read_patch(call: Call) -> tuple[PatchType, Any]:
    """The patch that the request carries, decoded; sets the context's write options. Raises StatusError."""
    read_write_options(call, "PatchOptions")
    asked = patch_type(call.http.headers.get("Content-Type", ""), custom=False)
    is_apply = asked is PatchType.APPLY
    call.ctx.force = options.apply_force(call.http.query, is_apply=is_apply)
    if is_apply:
        options.require_field_manager(call.ctx.field_manager)
    return asked, decode_value(await read_body(call.http), media_type(call.http), [])
