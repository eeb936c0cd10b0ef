"""Which patch a request's content type asks for."""

from __future__ import annotations

from enum import Enum

from lateen.cluster.status import unsupported_media_type


class PatchType(Enum):
    """Values are media types."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


def patch_type(content_type: str, *, custom: bool) -> PatchType:
    """Reads a `Content-Type`. 415 where it is unknown; custom resources take no strategic merge patch."""
    accepted = [t for t in PatchType if not (custom and t is PatchType.STRATEGIC)]
    media_type = content_type.partition(";")[0].strip().lower()
    for candidate in accepted:
        if candidate.value == media_type:
            return candidate
    listed = ", ".join(t.value for t in accepted)
    raise unsupported_media_type(
        f"the body of the request was in an unknown format - accepted media types include: {listed}"
    )
