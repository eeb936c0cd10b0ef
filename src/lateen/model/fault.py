"""A fault found while the mesh is computed: an error that is a value of a query, located at the resource to blame."""

from __future__ import annotations

from lateen.api.objects import ObjectRef
from lateen.engine import QueryError


class ConfigError(QueryError):
    """A resource (or several together) asks for what cannot be. Whoever reads the query decides on the fallback."""

    def __init__(self, resource: ObjectRef, path: str, message: str) -> None:
        super().__init__(resource, path, message)
        self.resource = resource
        self.path = path
        self.message = message

    def __str__(self) -> str:
        return f"{self.resource}: {self.path}: {self.message}" if self.path else f"{self.resource}: {self.message}"
