"""A mesh without a mesh: any resources in any views, for tests of what delivers them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lateen.engine import Engine, QueryError, Reader, Table, Transaction, query
from lateen.model.proxy import Proxy
from lateen.translate.resource import Recipe, Resource, ResourceType, resource_of_bytes
from lateen.xds.catalog import Catalog

_VIEWS: Table[str, tuple[str, ...]] = Table("fakeviews")
_MEMBERS: Table[tuple[str, str], tuple[tuple[str, str], ...]] = Table("fakemembers")
"""(type, view) -> (name, variant) of each member."""
_BODIES: Table[tuple[str, str, str], bytes] = Table("fakebodies")
"""(type, name, variant)"""


@query
def views(db: Reader, proxy: Proxy) -> tuple[str, ...]:
    found = _VIEWS.get(db, proxy.id)
    if found is None:
        raise QueryError("no views", proxy.id)
    return found


@query
def listing(db: Reader, type_: ResourceType, view: str) -> tuple[Recipe, ...]:
    members = _MEMBERS.get(db, (type_.name, view)) or ()
    return tuple(Recipe(name, made, (type_.name, name, variant)) for name, variant in members)


@query
def made(db: Reader, type_: str, name: str, variant: str) -> Resource:
    body = _BODIES.get(db, (type_, name, variant))
    if body is None:
        raise QueryError("cannot be made", name)
    return resource_of_bytes(name, body)


class FakeMesh:
    """Views are names. A resource of a name may have variants, so that views differ in what they have of it."""

    catalog = Catalog(views, listing)

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = engine or Engine()
        self.members: dict[tuple[ResourceType, str], dict[str, str]] = {}
        self.bodies: dict[tuple[ResourceType, str, str], bytes] = {}
        self.views: dict[str, tuple[str, ...]] = {}
        self._transaction: Transaction | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Changes made inside are one."""
        with self.engine.change() as self._transaction:
            yield
        self._transaction = None

    def set_views(self, proxy_id: str, *names: str) -> None:
        self.views[proxy_id] = names
        self._write(_VIEWS, proxy_id, names)

    def put(self, type_: ResourceType, view: str, name: str, message: Any, variant: str = "") -> None:
        """A view has a resource; `message` is protobuf or bytes. Every view with that variant of it has the same."""
        body = message if isinstance(message, bytes) else message.SerializeToString(deterministic=True)
        self.bodies[type_, name, variant] = body
        self.members.setdefault((type_, view), {})[name] = variant
        self._write(_BODIES, (type_.name, name, variant), body)
        self._write_members(type_, view)

    def remove(self, type_: ResourceType, view: str, name: str) -> None:
        """A view has it no longer."""
        del self.members[type_, view][name]
        self._write_members(type_, view)

    def fail(self, type_: ResourceType, name: str, variant: str = "") -> None:
        """From now on it is listed where it was, but cannot be made."""
        del self.bodies[type_, name, variant]
        if self._transaction is not None:
            self._transaction.delete(_BODIES, (type_.name, name, variant))
        else:
            with self.engine.change() as tx:
                tx.delete(_BODIES, (type_.name, name, variant))

    def state(self, proxy_id: str, type_: ResourceType) -> dict[str, Resource]:
        """All that a proxy may have of a type, by name: what can be made, of all its views."""
        return {
            name: resource_of_bytes(name, self.bodies[type_, name, variant])
            for view in self.views[proxy_id]
            for name, variant in self.members.get((type_, view), {}).items()
            if (type_, name, variant) in self.bodies
        }

    def _write_members(self, type_: ResourceType, view: str) -> None:
        self._write(_MEMBERS, (type_.name, view), tuple(sorted(self.members[type_, view].items())))

    def _write(self, table: Table[Any, Any], key: Any, value: Any) -> None:
        if self._transaction is not None:
            self._transaction.set(table, key, value)
        else:
            with self.engine.change() as tx:
                tx.set(table, key, value)
