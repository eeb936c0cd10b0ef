"""Calls webhooks and acts on their answers.

Source: kubernetes apiserver/pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lateen.cluster.apiserver.admission.attributes import Attributes
from lateen.cluster.apiserver.admission.webhook.client import WebhookCallError, WebhookClient
from lateen.cluster.apiserver.admission.webhook.configuration import Configurations, Webhook
from lateen.cluster.apiserver.admission.webhook.matching import Match, Matcher
from lateen.cluster.apiserver.admission.webhook.review import InvalidResponseError, Verdict, denial, read_response
from lateen.cluster.apiserver.patch import json_patch
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.schema.decoding import decode_errors
from lateen.cluster.apiserver.schema.pruning import prune
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Obj, deep_copy, gvk_of
from lateen.cluster.status import StatusError, bad_request, internal_error

_log = logging.getLogger(__name__)


class Webhooks:
    """Both kinds of webhooks over one pool of connections."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._mutating = Configurations(store, "mutatingwebhookconfigurations")
        self._validating = Configurations(store, "validatingwebhookconfigurations")
        self._matcher = Matcher(store, registry)
        self._client = WebhookClient(store)

    async def close(self) -> None:
        self._mutating.close()
        self._validating.close()
        await self._client.close()

    async def mutate(self, attributes: Attributes, again: Callable[[], Awaitable[None]]) -> None:
        """Calls the mutating webhooks in order. `again` runs the built-in plugins once more after a change.

        A webhook that wants to see later changes is called a second time, never a third.
        """
        called: list[Webhook] = []
        outdated: list[Webhook] = []
        changed = False
        for webhook in self._mutating.webhooks():
            if await self._mutate_once(webhook, attributes):
                changed = True
                outdated = list(called)
            if webhook.reinvoked:
                called.append(webhook)
        if not changed:
            return
        before = deep_copy(attributes.obj)
        await again()
        if attributes.obj != before:
            outdated = called
        for webhook in outdated:
            await self._mutate_once(webhook, attributes)

    async def _mutate_once(self, webhook: Webhook, attributes: Attributes) -> bool:
        """Whether the object was changed."""
        match = self._matcher.match(webhook, attributes)
        if match is None:
            return False
        verdict = await self._ask(match, attributes, mutating=True)
        if verdict is None or not verdict.patch:
            return False
        # A webhook that answered has not failed to be called: what its patch does wrong, no policy ignores.
        if match.request["object"] is None:
            raise internal_error(
                f'admission webhook "{webhook.name}" attempted to modify the object, which is not supported for this '
                "operation"
            )
        try:
            patched = json_patch.apply(match.request["object"], verdict.patch)
            _check_patched(patched, match)
        except StatusError as error:
            raise internal_error(error.message) from None
        obj: Obj = patched
        if match.seen_as is not attributes.kind:
            obj = attributes.kind.from_storage(match.seen_as.to_storage(obj))
        if not attributes.subresource:
            attributes.kind.default(obj)
        if obj == attributes.obj:
            return False
        attributes.obj = obj
        return True

    async def validate(self, attributes: Attributes) -> None:
        """Calls the validating webhooks side by side; the first refusal, in their order, counts."""
        matches = [m for w in self._validating.webhooks() if (m := self._matcher.match(w, attributes)) is not None]
        if not matches:
            return
        outcomes: Sequence[Verdict | BaseException | None] = await asyncio.gather(
            *(self._ask(match, attributes, mutating=False) for match in matches), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _ask(self, match: Match, attributes: Attributes, *, mutating: bool) -> Verdict | None:
        """The verdict when it allows; None when there is none and the policy is to ignore that."""
        webhook, request = match.webhook, match.request
        if attributes.ctx.dry_run and not webhook.dry_run_safe:
            raise bad_request(f'admission webhook "{webhook.name}" does not support dry run')
        try:
            if not webhook.review_version:
                raise WebhookCallError("webhook does not accept v1 or v1beta1 AdmissionReviews")
            review = {
                "kind": "AdmissionReview",
                "apiVersion": f"admission.k8s.io/{webhook.review_version}",
                "request": request,
            }
            answer = await self._client.post(webhook.target, review, webhook.timeout)
            verdict = read_response(answer, webhook.review_version, request["uid"], mutating)
        except (WebhookCallError, InvalidResponseError) as error:
            invalid = isinstance(error, InvalidResponseError)
            reason = f"received invalid webhook response: {error}" if invalid else str(error)
            if webhook.fails_closed:
                raise internal_error(_failed(webhook, reason)) from None
            _log.warning("%s; ignored, as its failurePolicy says", _failed(webhook, reason))
            return None
        for warning in verdict.warnings:
            attributes.ctx.warn(warning)
        if not verdict.allowed:
            raise denial(webhook.name, verdict.status)
        return verdict


def _check_patched(patched: Any, match: Match) -> None:
    """Drops what the schema does not know. Raises StatusError when the patch made something else of the object."""
    sent = match.request["object"]
    gvk = gvk_of(sent)
    # The options of a connection have no metadata.
    whole = isinstance(patched, dict) and ("metadata" not in sent or isinstance(patched.get("metadata"), dict))
    if not whole or gvk_of(patched) != gvk:
        raise bad_request("the patched object is of another kind")
    if gvk != match.seen_as.resource.gvk:
        return
    prune(patched, match.seen_as.schema)
    faults = () if match.seen_as.custom else decode_errors(patched, match.seen_as.schema)
    if faults:
        raise bad_request(faults[0])


def _failed(webhook: Webhook, reason: str) -> str:
    return f'failed calling webhook "{webhook.name}": {reason}'
