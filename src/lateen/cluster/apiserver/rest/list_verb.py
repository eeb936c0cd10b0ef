"""The list verb: a consistent state, selected, in pages."""

from __future__ import annotations

from bisect import bisect_right

from aiohttp import web

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.rest.continue_token import ContinueToken, decode_token
from lateen.cluster.apiserver.rest.options import ListOptions, too_large_resource_version
from lateen.cluster.apiserver.rest.presentation import Presentation
from lateen.cluster.apiserver.rest.response import body_response
from lateen.cluster.apiserver.rest.selection import select
from lateen.cluster.apiserver.store.record import Record
from lateen.cluster.apiserver.store.store import Snapshot, Store
from lateen.cluster.objects import Obj
from lateen.cluster.status import StatusError, bad_request, gone


def list_objects(
    http: web.Request, store: Store, presentation: Presentation, namespace: str, options: ListOptions
) -> web.Response:
    """Answers a list. Raises StatusError 400, 410, 504."""
    kind = presentation.kind
    snapshot, start = _snapshot(store, kind, namespace, options)
    selected = select(kind, snapshot, snapshot.records[start:], options)
    page, list_metadata = _page(snapshot, selected, options)
    return body_response(http, presentation.list(snapshot, page, list_metadata))


def _snapshot(store: Store, kind: Kind, namespace: str, options: ListOptions) -> tuple[Snapshot, int]:
    """The state to list, and the position of the first record of the page."""
    if options.continue_token:
        if options.resource_version not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        token = decode_token(options.continue_token)
        try:
            snapshot = store.list_at(kind.storage, namespace, token.revision)
        except StatusError:
            raise gone(
                "The provided continue parameter is too old to display a consistent list result. You must start a new "
                "list without the continue parameter."
            ) from None
        return snapshot, bisect_right(snapshot.records, str(token.after), key=lambda record: str(record.key))
    revision = options.revision
    if revision is not None and revision > store.revision:
        raise too_large_resource_version(revision, store.revision)
    if revision and (options.match == "Exact" or (options.limit and not options.match)):
        return store.list_at(kind.storage, namespace, revision), 0
    return store.list(kind.storage, namespace), 0


def _page(snapshot: Snapshot, selected: list[Record], options: ListOptions) -> tuple[list[Record], Obj]:
    meta: Obj = {"resourceVersion": str(snapshot.revision)}
    if not options.limit or len(selected) <= options.limit:
        return selected, meta
    page = selected[: options.limit]
    last = page[-1].key
    meta["continue"] = ContinueToken(snapshot.revision, last.namespace, last.name).encode()
    if options.labels.empty and not options.fields:
        # With selectors Kubernetes does not count what it has not looked at.
        meta["remainingItemCount"] = len(selected) - len(page)
    return page, meta
