"""What xds asks of translation: two queries, injected so that tests bring their own."""

from __future__ import annotations

from typing import Any, NamedTuple

from lateen.engine import Query
from lateen.translate.resource import Recipe


class Catalog(NamedTuple):
    """The queries of `lateen.translate.catalog`."""

    views: Query[..., tuple[Any, ...]]
    """(proxy) -> its views. What it holds of a type is what their listings hold together; names do not overlap."""
    listing: Query[..., tuple[Recipe, ...]]
    """(type, view) -> every resource of that type in that view."""
