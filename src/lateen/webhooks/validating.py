"""POST /validate: bad resources of the mesh are kept out, and what looks wrong with good ones is warned about.

What is wrong with a resource by itself is an error. What is wrong with it in the mesh as it is now (a host that nobody
has, a subset without a rule) is a warning: its other half may come next.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from aiohttp import web

from lateen.api.objects import ObjectRef
from lateen.api.parse import Parsed, parse
from lateen.api.schema.fault import Fault, Severity, warning
from lateen.api.security.authorization_support import unsupported_in
from lateen.engine import Engine, QueryError, Table, Transaction
from lateen.model.inputs import REJECTED, REJECTED_GENERATIONS, WARNINGS
from lateen.model.tables import TABLES
from lateen.status.findings import REPORTED, report
from lateen.webhooks.admission import AdmissionRequest, BadReview, allowed, denied, read_review
from lateen.webhooks.aside import Aside

PATH: Final = "/validate"

_MOST_CAUSES: Final = 50
_LARGE: Final = 256 * 1024
"""Bytes of a review. What has more takes a noticeable time."""
_NOTICED: Final = 0.01
"""Seconds that everything else may be held up."""
_UNSEEN: Final = warning(
    "", "too large to be looked at beside the rest of the mesh here: its status tells what is found"
)
_TOLD: Final[tuple[Table[ObjectRef, Any], ...]] = (REJECTED, REJECTED_GENERATIONS, WARNINGS, REPORTED)

_log = logging.getLogger(__name__)


class Validation:
    """Judges against the mesh of an engine. `outcomes` counts what became of requests, by `passed` and `failed`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._small, self._large = Aside(), Aside()
        self._turn = asyncio.Lock()
        """To be looked at in the mesh."""
        self.outcomes: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """Istio's API server registrations name a revision behind the path, too."""
        return [web.post(PATH, self._handle), web.post(f"{PATH}/{{rest:.*}}", self._handle)]

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            asked = read_review(body)
        except BadReview as bad:
            return web.Response(status=400, text=f"{bad}\n")
        return web.Response(body=await self.judge(asked, large=len(body) > _LARGE), content_type="application/json")

    async def judge(self, asked: AdmissionRequest, *, large: bool = False) -> bytes:
        """The answer to one request. A resource is read beside everything else, one after another; what is `large`
        holds up no other, and what depends on the mesh is left to its status."""
        if asked.operation not in ("CREATE", "UPDATE") or not isinstance(asked.object, Mapping):
            return allowed(asked)
        parsed = await (self._large if large else self._small).run(partial(parse, _placed(asked)))
        faults = (*parsed.faults, *unsupported_in(parsed.value))
        errors = [fault for fault in faults if fault.severity is Severity.ERROR]
        if errors:
            self.outcomes["failed"] += 1
            message = "; ".join(_words(fault) for fault in errors[:_MOST_CAUSES])
            _log.info("refused %s %s: %s", asked.object.get("kind"), parsed.key, message)
            causes = [(fault.path, fault.message) for fault in errors[:_MOST_CAUSES]]
            others = tuple(fault for fault in faults if fault not in errors)
            return denied(asked, message, causes=causes, warnings=_warnings(others))
        self.outcomes["passed"] += 1
        found = (_UNSEEN,) if large else await self._in_turn(parsed)
        return allowed(asked, warnings=_warnings((*faults, *found)))

    async def _in_turn(self, parsed: Parsed) -> tuple[Fault, ...]:
        """`_in_the_mesh`, by half of the time at most, however much is asked: the mesh has other things to do."""
        clock = asyncio.get_running_loop().time
        async with self._turn:
            began = clock()
            found = self._in_the_mesh(parsed)
            if (took := clock() - began) > _NOTICED:
                await asyncio.sleep(took)
        return found

    def _in_the_mesh(self, parsed: Parsed) -> tuple[Fault, ...]:
        """What is to be said of a good resource if it came into the mesh as it is now."""
        table = TABLES.get(parsed.kind) if parsed.kind is not None else None
        if table is None or parsed.kind is None:
            return ()
        ref = ObjectRef(parsed.kind.kind, parsed.key)

        def come(tx: Transaction) -> None:
            tx.set(table, parsed.key, parsed.value)
            # What was found in the version before does not count.
            for told in _TOLD:
                tx.delete(told, ref)

        try:
            found = self._engine.overlay(come).get(report, ref)
        except QueryError as error:
            _log.error("no findings on %s: %s", ref, error)
            return ()
        return found.faults if found is not None else ()


def _placed(asked: AdmissionRequest) -> Mapping[str, Any]:
    """With the namespace of the request, and some name where the server makes one later."""
    raw: Mapping[str, Any] = asked.object
    metadata = raw.get("metadata")
    if not isinstance(metadata, Mapping):
        return raw
    added: dict[str, Any] = {}
    if asked.namespace and not metadata.get("namespace"):
        added["namespace"] = asked.namespace
    if not metadata.get("name") and isinstance(metadata.get("generateName"), str):
        added["name"] = f"{metadata['generateName']}x"
    return {**raw, "metadata": {**metadata, **added}} if added else raw


def _warnings(faults: tuple[Fault, ...]) -> list[str]:
    """Errors in the mesh as it is count as warnings here."""
    return [_words(fault) for fault in dict.fromkeys(faults)]


def _words(fault: Fault) -> str:
    code = f" [{fault.code}]" if fault.code else ""
    return f"{fault.path}: {fault.message}{code}" if fault.path else f"{fault.message}{code}"
