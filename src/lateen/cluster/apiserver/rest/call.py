"""One request on its way through the server, and what handlers of subresources and virtual resources are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Key, Obj

if TYPE_CHECKING:
    from lateen.cluster.apiserver.registry import Registry
    from lateen.cluster.apiserver.rest.operations import Operations
    from lateen.cluster.apiserver.store.store import Store
    from lateen.cluster.layout import Layout


@dataclass(slots=True)
class Services:
    """What handlers may use of the server."""

    layout: Layout
    store: Store
    registry: Registry
    operations: Operations
    authorizer: Any
    """`auth.rbac.Authorizer`."""


@dataclass(slots=True)
class Call:
    """One authenticated and authorized request."""

    http: web.Request
    ctx: Context
    server: Services
    kind: Kind | None = None
    """The kind that the path names; None for virtual resources."""
    tail: str = ""
    """What follows the subresource in the path, with its leading slash (`proxy` alone has one)."""

    @property
    def key(self) -> Key:
        """The object that the path names."""
        return Key(self.namespace, self.ctx.info.name)

    @property
    def namespace(self) -> str:
        """The namespace that the path names; empty for cluster-scoped kinds (also for `namespaces/NAME` itself)."""
        return "" if self.kind is not None and not self.kind.resource.namespaced else self.ctx.info.namespace

    async def read_object(self) -> Obj:
        """The request's body, JSON or YAML, as an object. Raises StatusError 400, 413, 415."""
        from lateen.cluster.apiserver.rest.body import read_object

        return await read_object(self.http)

    def respond(self, obj: Obj, status: int = 200) -> web.Response:
        """An answer of one object, as JSON."""
        from lateen.cluster.apiserver.rest.response import json_response

        return json_response(obj, status)


Handler = Callable[[Call], Awaitable[web.StreamResponse]]
"""Answers one call; raises StatusError for a `Status` answer."""

SubresourceRoutes = dict[tuple[str, str, str], Handler]
"""(group, plural, subresource) -> handler."""

VirtualRoutes = dict[tuple[str, str], Handler]
"""(group, plural) -> handler of `create` for resources that are not stored."""
