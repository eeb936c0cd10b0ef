"""The API server's registrations of our webhooks: whom it is to trust, and what becomes of resources when we are away.

One replica at a time keeps them: `Lease.run_while_held(bundles.run)`. Those registrations are ours whose webhooks name
the control plane's Service, whatever they are called. The policy of validation is `Ignore` until it has been seen to
refuse a bad resource, and `Fail` from then on.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

from lateen.identity.complaints import Complaints
from lateen.identity.rounds import Rounds, RoundsPace
from lateen.identity.watched_api import WatchedApi

_GROUP: Final = "/apis/admissionregistration.k8s.io/v1"
MUTATING: Final = f"{_GROUP}/mutatingwebhookconfigurations"
VALIDATING: Final = f"{_GROUP}/validatingwebhookconfigurations"
_JSON_PATCH: Final = "application/json-patch+json"
_PACE: Final = RoundsPace(spacing=0.2, retry=1.0)

_log = logging.getLogger(__name__)


class WebhookBundles:
    """Call `changed` after every change of the roots."""

    def __init__(
        self,
        api: WatchedApi,
        roots: Callable[[], str],
        *,
        namespace: str,
        service: str,
        pace: RoundsPace = _PACE,
    ) -> None:
        """`roots`: what the API server is to trust, as PEM; empty while there is nothing yet. `service` is the name of
        the control plane's own."""
        self._api = api
        self._roots = roots
        self._namespace = namespace
        self._service = service
        self._proven = False
        """Validation has been seen to work."""
        self._complaints = Complaints(_log, "webhooks")
        watched: dict[str, dict[str, str]] = {MUTATING: {}, VALIDATING: {}}
        self._rounds = Rounds(api, watched, self.round, pace=pace, complaints=self._complaints)

    def changed(self) -> None:
        """Something is to be looked at soon."""
        self._rounds.stir()

    async def run(self) -> None:
        """Until cancelled."""
        await self._rounds.run()

    async def round(self) -> bool:
        """Makes registrations right wherever they are not. Says whether nothing is left to do.

        Raises OSError or ValueError when the API server does not answer.
        """
        roots = self._roots()
        if not roots:
            return False
        bundle = b64encode(roots.encode()).decode()
        whole = True
        validating: list[Mapping[str, Any]] = []
        for path in (MUTATING, VALIDATING):
            answer = await self._api.send("GET", path)
            self._complaints.tell(path, "" if answer.status == 200 else answer.message)
            if answer.status != 200:
                return False
            for found in answer.body.get("items") or ():
                if not self._ours(found):
                    continue
                patch = self._trust(found, bundle)
                trusting = await self._patch(path, found, patch) if patch else found
                if trusting is None:
                    whole = False
                elif path == VALIDATING:
                    validating.append(trusting)
        return await self._enforce(validating) and whole

    # --- trust ---------------------------------------------------------------------------------------------------

    def _ours(self, configuration: Mapping[str, Any]) -> list[int]:
        """Which of its webhooks call our Service."""
        found = []
        for index, webhook in enumerate(configuration.get("webhooks") or ()):
            service = (webhook.get("clientConfig") or {}).get("service") or {}
            if (service.get("namespace"), service.get("name")) == (self._namespace, self._service):
                found.append(index)
        return found

    def _trust(self, configuration: Mapping[str, Any], bundle: str) -> list[dict[str, Any]]:
        webhooks = configuration.get("webhooks") or ()
        return [
            {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": bundle}
            for index in self._ours(configuration)
            if webhooks[index]["clientConfig"].get("caBundle") != bundle
        ]

    # --- failure policy ------------------------------------------------------------------------------------------

    async def _enforce(self, configurations: list[Mapping[str, Any]]) -> bool:
        lenient = [found for found in configurations if self._lenient(found)]
        if not lenient:
            return True
        if not self._proven:
            self._proven = await self._refuses_what_is_bad()
        if not self._proven:
            return False
        whole = True
        for found in lenient:
            patch = [
                {"op": "add", "path": f"/webhooks/{index}/failurePolicy", "value": "Fail"}
                for index in self._lenient(found)
            ]
            whole &= await self._patch(VALIDATING, found, patch) is not None
        return whole

    def _lenient(self, configuration: Mapping[str, Any]) -> list[int]:
        webhooks = configuration["webhooks"]
        return [index for index in self._ours(configuration) if webhooks[index].get("failurePolicy") == "Ignore"]

    async def _refuses_what_is_bad(self) -> bool:
        """Whether the API server, asked by a dry run to take a Gateway without servers, is told by us not to."""
        bad = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": {"generateName": "validation-probe-", "namespace": self._namespace},
            "spec": {},
        }
        path = f"/apis/networking.istio.io/v1/namespaces/{self._namespace}/gateways"
        answer = await self._api.send("POST", path, parameters={"dryRun": "All"}, body=bad)
        works = answer.status >= 400 and "denied the request" in answer.message
        told = f": {answer.message}" if answer.status >= 400 else ""
        self._complaints.tell("validation", "" if works else f"does not refuse what is bad yet{told}")
        return works

    # --- writing -------------------------------------------------------------------------------------------------

    async def _patch(
        self, path: str, found: Mapping[str, Any], patch: list[dict[str, Any]]
    ) -> Mapping[str, Any] | None:
        """Of the version that was seen alone: positions are of that version. What it is now; None when it is not."""
        metadata = found["metadata"]
        name = str(metadata["name"])
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": metadata.get("resourceVersion")}
        answer = await self._api.send("PATCH", f"{path}/{name}", body=[test, *patch], content_type=_JSON_PATCH)
        self._complaints.tell(name, "" if answer.status in (200, 404, 409, 422) else answer.message)
        if answer.status != 200:
            return None
        _log.info("%s: %s", name, ", ".join(sorted({each["path"].rpartition("/")[2] for each in patch})))
        changed: Mapping[str, Any] = answer.body
        return changed
