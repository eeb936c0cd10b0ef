"""The write (or connection) that admission looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.request import Context, User
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.status import StatusError, forbidden

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


@dataclass(slots=True)
class Attributes:
    """One operation. `obj` is the caller's to change while mutating, and None when deleting; `old` is shared."""

    operation: str
    obj: Obj | None
    old: Obj | None
    ctx: Context
    kind: Kind
    options: Obj | None = None
    """`CreateOptions` and the like, as webhooks get to see them."""

    @property
    def group_resource(self) -> tuple[str, str]:
        return self.kind.resource.group_resource

    @property
    def subresource(self) -> str:
        return self.ctx.info.subresource

    @property
    def namespace(self) -> str:
        return self.ctx.info.namespace

    @property
    def user(self) -> User:
        return self.ctx.user

    @property
    def name(self) -> str:
        """The object's name; empty for a creation whose name is yet to be generated."""
        return self.ctx.info.name or (name_of(self.obj) if self.obj is not None else "")

    def is_(self, plural: str, group: str = "", subresource: str = "") -> bool:
        return self.group_resource == (group, plural) and self.subresource == subresource

    def spec(self) -> dict[str, Any]:
        """The object's spec, attached to it."""
        if self.obj is None:
            return {}
        spec = self.obj.get("spec")
        if not isinstance(spec, dict):
            spec = self.obj["spec"] = {}
        return spec

    def refuse(self, detail: str) -> StatusError:
        """403: `pods "x" is forbidden: <detail>`."""
        return forbidden(*self.group_resource, self.name, detail)
