"""The outcome of an authorization question, and how a refusal is told."""

from __future__ import annotations

from dataclasses import dataclass

from lateen.cluster.apiserver.request import RequestInfo, User
from lateen.cluster.status import StatusError, forbidden


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` says by which binding, or why not; it may be empty. Not allowed means: nobody allowed it."""

    allowed: bool
    reason: str = ""


def refusal(user: User, info: RequestInfo, reason: str = "") -> StatusError:
    """403 with the words that kubectl users know."""
    tail = f": {reason}" if reason else ""
    if not info.is_resource:
        message = f'forbidden: User "{user.name}" cannot {info.verb} path "{info.path}"{tail}'
        return StatusError(403, "Forbidden", message)
    resource = f"{info.plural}/{info.subresource}" if info.subresource else info.plural
    scope = f'in the namespace "{info.namespace}"' if info.namespace else "at the cluster scope"
    detail = f'User "{user.name}" cannot {info.verb} resource "{resource}" in API group "{info.group}" {scope}{tail}'
    return forbidden(info.group, info.plural, info.name, detail)
