"""The self-signed root of a mesh, kept in the Secret `istio-ca-secret`.

Every replica follows it; one, the holder of a Lease, keeps it: makes it when there is none, rotates it in time. Were
two to hold the Lease, each write of theirs is either a creation or names the version it replaces, so that one of them
fails and reads what the other wrote. What has not been stored is never signed with.
"""

from __future__ import annotations

import asyncio
import binascii
import logging
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from lateen.api.kubernetes.requests import Answer, KubernetesApi
from lateen.api.schema.fault import error
from lateen.identity.authority import Authority
from lateen.identity.current import CurrentAuthority
from lateen.identity.root_files import NEXT_CERTIFICATE, NEXT_KEY, PREVIOUS_ROOT, SINCE, Read, from_files, to_files
from lateen.identity.rotation import Phase, RootState, RotationTerms, advance, begin, is_due
from lateen.identity.self_signed import RootTerms, self_signed

NAME: Final = "istio-ca-secret"
TYPE: Final = "istio.io/ca-root"
ROTATE: Final = "lateen.io/rotate-root"
"""An annotation that asks for a rotation now; it is removed when that begins."""

_OURS: Final = (NEXT_CERTIFICATE, NEXT_KEY, PREVIOUS_ROOT, SINCE)

_log = logging.getLogger(__name__)


class RootSecret:
    """Run `follow` in every replica, and `keep` in one at a time: `Lease.run_while_held(secret.keep)`."""

    def __init__(
        self,
        api: KubernetesApi,
        current: CurrentAuthority,
        *,
        namespace: str,
        root: RootTerms | None = None,
        rotation: RotationTerms | None = None,
        interval: float = 10.0,
        impatience: float = 0.2,
        organization: Callable[[], str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`interval`: seconds between two looks; `impatience`: the same while there is no root yet.
        `organization`: what new roots are named after, as it is by then (default: as `root` says).

        Raises ValueError for terms by which a new root would be old at once, or a rotation come too late.
        """
        self._root = root or RootTerms()
        self._terms = rotation or RotationTerms()
        if self._root.lifetime <= self._terms.renew_before:
            raise ValueError("a root must live longer than before its end it is rotated")
        if self._terms.renew_before <= 2 * self._terms.step:
            raise ValueError("a rotation must end before the root does: renew_before is too short for two steps")
        self._api = api
        self._current = current
        self._namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}/secrets"
        self._interval = interval
        self._impatience = impatience
        self._organization = organization
        self._now = now
        self._state: RootState | None = None
        """As last read or written."""
        self._last: tuple[Any, Read] = (None, Read(None, ()))
        """The data last read, and what they say: to check keys is dear, and every look would do it."""
        self._seen: datetime | None = None
        """When the API server last told what the Secret holds."""
        self._reported = ""

    async def follow(self) -> None:
        """Until cancelled: takes whatever root is there."""
        while True:
            await self._attempt(self._look)
            await self._pause()

    async def keep(self) -> None:
        """Until cancelled: sees to it that there is one, and that it is rotated."""
        while True:
            await self._attempt(self._tend)
            await self._pause()

    # --- following -----------------------------------------------------------------------------------------------

    async def _look(self) -> str:
        """What is wrong; empty when nothing is."""
        answer = await self._get()
        if answer.status == 404:
            return ""
        if answer.status != 200:
            return answer.message
        self._take(self._read(answer.body))
        return ""

    async def _get(self) -> Answer:
        answer = await self._api.send("GET", f"{self._path}/{NAME}")
        if answer.status in (200, 404):
            self._seen = self._now()
        return answer

    def _read(self, found: Any) -> Read:
        data = found.get("data") or {}
        # What was not good may be by now: not valid yet.
        if data != self._last[0] or self._last[1].state is None:
            self._last = data, _read(data, self._now())
        return self._last[1]

    def _take(self, read: Read) -> None:
        if read.state is not None:
            self._state = read.state
        self._current.offer(read.loaded, f"Secret {self._namespace}/{NAME}")

    # --- keeping -------------------------------------------------------------------------------------------------

    async def _tend(self) -> str:
        answer = await self._get()
        if answer.status == 404:
            return await self._create()
        if answer.status != 200:
            return answer.message
        read = self._read(answer.body)
        self._take(read)
        # A Secret that does not hold together is an operator's to mend: a new root would end the mesh's trust.
        return await self._rotate(answer.body, read.state) if read.state is not None else ""

    async def _create(self) -> str:
        """A new root; or, where somebody has deleted the Secret, the one that the mesh trusts."""
        state = self._state or RootState(self._new_root(self._now()))
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": NAME, "namespace": self._namespace},
            "type": TYPE,
            "data": _encoded(state),
        }
        return await self._write("POST", self._path, body, state)

    async def _rotate(self, found: dict[str, Any], state: RootState) -> str:
        metadata = dict(found.get("metadata") or {})
        annotations = dict(metadata.get("annotations") or {})
        now = self._now()
        after = advance(state, now, self._terms)
        if after.phase is Phase.STEADY and (ROTATE in annotations or is_due(after, now, self._terms)):
            annotations.pop(ROTATE, None)
            after = begin(after, self._new_root(now), now)
        if after == state:
            return ""
        _log.warning("root certificate: %s, was %s", after.phase.value, state.phase.value)
        data = {name: value for name, value in (found.get("data") or {}).items() if name not in _OURS}
        body = {**found, "metadata": {**metadata, "annotations": annotations}, "data": {**data, **_encoded(after)}}
        return await self._write("PUT", f"{self._path}/{NAME}", body, after)

    def _new_root(self, now: datetime) -> Authority:
        terms = self._root
        if self._organization is not None:
            terms = msgspec.structs.replace(terms, organization=self._organization())
        return self_signed(now, terms)

    async def _write(self, method: str, path: str, body: dict[str, Any], state: RootState) -> str:
        answer = await self._api.send(method, path, body=body)
        if answer.status in (200, 201):
            self._take(Read(state, ()))
            return ""
        if answer.status == 409:
            # Somebody was faster: theirs it is.
            return await self._look()
        return answer.message

    # --- pace ----------------------------------------------------------------------------------------------------

    async def _attempt(self, work: Callable[[], Any]) -> None:
        try:
            problem = await work()
        except (OSError, ValueError) as failure:
            problem = str(failure) or type(failure).__name__
        if problem and problem != self._reported:
            _log.warning("Secret %s/%s: %s", self._namespace, NAME, problem)
        self._reported = problem
        if self._seen is not None and self._now() - self._seen > self._terms.lag:
            # The mesh may have moved on to another root meanwhile.
            self._current.withdraw(f"the Secret {self._namespace}/{NAME} has not been seen since {self._seen}")

    async def _pause(self) -> None:
        await asyncio.sleep(self._interval if self._state is not None else self._impatience)


def _encoded(state: RootState) -> dict[str, str]:
    return {name: b64encode(content).decode() for name, content in to_files(state).items()}


def _read(data: Any, now: datetime) -> Read:
    try:
        files = {name: b64decode(text, validate=True) for name, text in data.items()}
    except (binascii.Error, AttributeError, TypeError, ValueError):
        return Read(None, (error("data", "expected base64"),))
    return from_files(files, now)
