"""Calls to the Kubernetes API: every failure is a StatusError, every call ends in bounded time.

`GVR` says which resource, `Key` which object; objects are plain dicts. Sources: the Kubernetes API conventions
and client-go's `rest` package (which failures are worth a retry).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp
import msgspec

from lateen.cluster.client import credentials
from lateen.cluster.client.backoff import Backoff
from lateen.cluster.client.credentials import Endpoint
from lateen.cluster.client.paths import collection_path, object_path
from lateen.cluster.client.watch import MAX_EVENT, Watch
from lateen.cluster.objects import GVR, Key, Obj, key_of
from lateen.cluster.status import StatusError, service_unavailable, timeout

PATCH_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
PatchType = Literal["json", "merge", "strategic"]
Propagation = Literal["Background", "Foreground", "Orphan"]
Query = Mapping[str, str]

METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_ONLY_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class ObjectList:
    """A whole collection and the revision it was read at."""

    items: list[Obj]
    resource_version: str


class Client:
    """One identity at one API server. Use as an asynchronous context manager, or call `close`.

    `user_agent` is also the field manager of writes; `timeout` bounds a call in seconds with all its retries.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        user_agent: str = "lateen",
        timeout: float = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.user_agent = user_agent
        self._timeout = timeout
        self._headers = {"User-Agent": user_agent, "Accept": "application/json", **(headers or {})}
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def from_kubeconfig(cls, path: Path | str, *, context: str = "", **options: Any) -> Self:
        """A client of a kubeconfig's context. Raises CredentialsError, OSError."""
        return cls(credentials.from_kubeconfig(path, context), **options)

    @classmethod
    def in_cluster(cls, **options: Any) -> Self:
        """A client with the service account of the pod this process runs in. Raises CredentialsError."""
        return cls(credentials.in_cluster(), **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # --- reading ---------------------------------------------------------------------------------------------

    async def get(self, gvr: GVR, key: Key, *, subresource: str = "", accept: str = "") -> Obj:
        return await self._object("GET", object_path(gvr, key, subresource), accept=accept)

    async def list(
        self, gvr: GVR, namespace: str = "", *, labels: str = "", fields: str = "", limit: int = 500, accept: str = ""
    ) -> ObjectList:
        """Every object that matches, read in pages of `limit`. Items carry apiVersion and kind."""
        items: list[Obj] = []
        query = _selection(labels, fields) | {"limit": str(limit)}
        restarts = 0
        while True:
            try:
                page = await self._object("GET", collection_path(gvr, namespace), query=query, accept=accept)
            except StatusError as error:
                # The revision of the first page was compacted away: read the collection anew.
                if error.code != 410 or "continue" not in query or restarts == 3:
                    raise
                restarts += 1
                items.clear()
                del query["continue"]
                continue
            _append_items(items, page)
            meta = page.get("metadata") or {}
            if not meta.get("continue"):
                return ObjectList(items, str(meta.get("resourceVersion") or ""))
            query["continue"] = str(meta["continue"])

    def watch(
        self,
        gvr: GVR,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str = "",
        bookmarks: bool = True,
        initial_events: bool = False,
        timeout_seconds: int = 300,
        accept: str = "",
    ) -> Watch:
        """Changes after `resource_version` (from now on with the present state first, when that is empty)."""
        query = _selection(labels, fields) | {"watch": "true", "timeoutSeconds": str(timeout_seconds)}
        if resource_version:
            query["resourceVersion"] = resource_version
        if bookmarks:
            query["allowWatchBookmarks"] = "true"
        if initial_events:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        bound = aiohttp.ClientTimeout(total=timeout_seconds + 30, sock_connect=5)
        return Watch(self._open("GET", collection_path(gvr, namespace), query=query, bound=bound, accept=accept))

    # --- writing ---------------------------------------------------------------------------------------------

    async def create(self, gvr: GVR, obj: Obj, *, namespace: str = "", dry_run: bool = False) -> Obj:
        """Creates `obj` in `namespace` or, when that is empty, in the one its metadata says."""
        path = collection_path(gvr, namespace or key_of(obj).namespace)
        return await self._object("POST", path, query=self._writing(dry_run), body=obj)

    async def create_subresource(self, gvr: GVR, key: Key, subresource: str, obj: Obj) -> Obj:
        """POST below an object: `eviction`, `binding`, `token`..."""
        return await self._object("POST", object_path(gvr, key, subresource), query=self._writing(False), body=obj)

    async def update(self, gvr: GVR, obj: Obj, *, subresource: str = "", dry_run: bool = False) -> Obj:
        """Replaces the object; a conflict (409) when its resourceVersion is not the present one."""
        path = object_path(gvr, key_of(obj), subresource)
        return await self._object("PUT", path, query=self._writing(dry_run), body=obj)

    async def update_status(self, gvr: GVR, obj: Obj) -> Obj:
        return await self.update(gvr, obj, subresource="status")

    async def patch(
        self, gvr: GVR, key: Key, patch: Any, *, type: PatchType = "merge", subresource: str = "", dry_run: bool = False
    ) -> Obj:
        path = object_path(gvr, key, subresource)
        query = self._writing(dry_run)
        return await self._object("PATCH", path, query=query, body=patch, content_type=PATCH_TYPES[type])

    async def apply(
        self,
        gvr: GVR,
        obj: Obj,
        *,
        manager: str = "",
        force: bool = False,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Obj:
        """Server-side apply: a conflict (409) lists the fields that other managers own, unless `force`."""
        query = self._writing(dry_run) | {"force": "true" if force else "false"}
        if manager:
            query["fieldManager"] = manager
        path = object_path(gvr, key_of(obj), subresource)
        return await self._object("PATCH", path, query=query, body=obj, content_type=PATCH_TYPES["apply"])

    async def delete(
        self,
        gvr: GVR,
        key: Key,
        *,
        propagation: Propagation | None = None,
        grace_seconds: int | None = None,
        uid: str = "",
        resource_version: str = "",
        dry_run: bool = False,
    ) -> Obj:
        """Deletes one object, only if it still is the one that `uid` and `resource_version` say."""
        options = _delete_options(propagation, grace_seconds, dry_run)
        preconditions = {k: v for k, v in (("uid", uid), ("resourceVersion", resource_version)) if v}
        if preconditions:
            options["preconditions"] = preconditions
        return await self._object("DELETE", object_path(gvr, key), body=options)

    async def delete_collection(
        self,
        gvr: GVR,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        propagation: Propagation | None = None,
        grace_seconds: int | None = None,
    ) -> Obj:
        options = _delete_options(propagation, grace_seconds, False)
        query = _selection(labels, fields)
        return await self._object("DELETE", collection_path(gvr, namespace), query=query, body=options)

    # --- any path --------------------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "",
    ) -> bytes:
        """One call with retries: the answer's body. Raises StatusError."""
        backoff = Backoff(0.05, 2.0)
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    try:
                        async with self._open(
                            method, path, query=query, body=body, content_type=content_type, accept=accept
                        ) as response:
                            return await response.read()
                    except aiohttp.ClientError as error:
                        failure: StatusError = service_unavailable(f"{method} {path}: {error}")
                        # What was sent may have been done; what could not be sent was not.
                        if method != "GET" and not isinstance(error, aiohttp.ClientConnectorError):
                            raise failure from None
                        delay = backoff.next()
                    except StatusError as error:
                        if not _may_retry(method, error) or backoff.attempts >= 6:
                            raise
                        delay = max(backoff.next(), float(error.retry_after or 0))
                    await asyncio.sleep(delay)
        except TimeoutError:
            raise timeout(f"{method} {path}: no answer from {self.endpoint.server} in {self._timeout:g} s") from None

    async def _object(self, method: str, path: str, **call: Any) -> Obj:
        data = await self.request(method, path, **call)
        try:
            return msgspec.json.decode(data, type=Obj) if data else {}
        except msgspec.DecodeError as error:
            raise service_unavailable(f"{method} {path}: the answer is not a JSON object: {error}") from None

    def _writing(self, dry_run: bool) -> dict[str, str]:
        query = {"fieldManager": self.user_agent.partition("/")[0]}
        if dry_run:
            query["dryRun"] = "All"
        return query

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "",
        bound: aiohttp.ClientTimeout | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One attempt: yields the answer of a success. Raises StatusError, aiohttp.ClientError."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, ssl=self.endpoint.tls or True)
            self._session = aiohttp.ClientSession(connector=connector, read_bufsize=1 << 18)
        headers = dict(self._headers)
        if accept:
            headers["Accept"] = f"{accept},application/json"
        if self.endpoint.tokens is not None:
            headers["Authorization"] = f"Bearer {self.endpoint.tokens.token()}"
        data = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = content_type
        async with self._session.request(
            method,
            self.endpoint.server + path,
            params=query,
            data=data,
            headers=headers,
            timeout=bound or aiohttp.ClientTimeout(total=self._timeout, sock_connect=5),
            server_hostname=self.endpoint.server_name or None,
            allow_redirects=False,
        ) as response:
            if response.status >= 300:
                raise await _failure(response)
            yield response


async def _failure(response: aiohttp.ClientResponse) -> StatusError:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_EVENT:
            break
    try:
        status = msgspec.json.decode(bytes(body))
    except (msgspec.DecodeError, ValueError):
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        text = bytes(body[:500]).decode(errors="replace")
        status = {"message": text or response.reason or f"HTTP {response.status}"}
    error = StatusError.from_json(status, response.status)
    if error.retry_after is None and response.headers.get("Retry-After", "").isdigit():
        error.retry_after = int(response.headers["Retry-After"])
    return error


def _may_retry(method: str, error: StatusError) -> bool:
    """The server said that it did nothing, and to come back; or the call only reads."""
    if error.code == 429:
        return bool(error.retry_after)
    return error.code == 503 and (method == "GET" or bool(error.retry_after))


def _selection(labels: str, fields: str) -> dict[str, str]:
    return {k: v for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v}


def _delete_options(propagation: str | None, grace_seconds: int | None, dry_run: bool) -> Obj:
    options: Obj = {"kind": "DeleteOptions", "apiVersion": "v1"}
    if propagation:
        options["propagationPolicy"] = propagation
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    if dry_run:
        options["dryRun"] = ["All"]
    return options


def _append_items(items: list[Obj], page: Obj) -> None:
    """A list's items come without apiVersion and kind: the list's own kind says theirs."""
    api_version = str(page.get("apiVersion") or "")
    kind = str(page.get("kind") or "").removesuffix("List")
    for item in page.get("items") or ():
        items.append(item if "kind" in item else {"apiVersion": api_version, "kind": kind, **item})
