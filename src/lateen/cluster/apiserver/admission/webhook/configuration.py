"""Webhook configurations as stored, read into values that are quick to ask.

Source: kubernetes apiserver/pkg/admission/configuration.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from lateen.cluster.apiserver.admission.webhook.match_condition import MatchConditions
from lateen.cluster.apiserver.admission.webhook.rule import Rule
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.apiserver.store_changes import StoreChanges
from lateen.cluster.objects import Obj, name_of
from lateen.cluster.selectors import EVERYTHING, Selector, from_label_selector

GROUP = "admissionregistration.k8s.io"
DEFAULT_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook is: a URL, or a Service by namespace and name."""

    url: str = ""
    namespace: str = ""
    service: str = ""
    port: int = 443
    path: str = ""
    ca_bundle: str = ""
    """PEM; empty for the machine's own trust store."""

    @property
    def server_name(self) -> str:
        """The name that the serving certificate of a Service must have."""
        return f"{self.service}.{self.namespace}.svc"

    @property
    def shown(self) -> str:
        """The URL as errors show it."""
        return self.url or f"https://{self.server_name}:{self.port}/{self.path.lstrip('/')}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook of one configuration."""

    name: str
    target: Target
    rules: tuple[Rule, ...]
    namespaces: Selector
    objects: Selector
    conditions: MatchConditions
    fails_closed: bool
    equivalent: bool
    timeout: int
    dry_run_safe: bool
    reinvoked: bool
    review_version: str
    """`v1` or `v1beta1`; empty when it speaks neither."""


class Configurations:
    """The webhooks of all configurations of one kind, in the order of their invocation."""

    def __init__(self, store: Store, plural: str) -> None:
        self._store = store
        self._resource = (GROUP, plural)
        self._changes = StoreChanges(store, [self._resource])
        self._webhooks: tuple[Webhook, ...] = ()

    def webhooks(self) -> tuple[Webhook, ...]:
        if self._changes.take():
            self._webhooks = tuple(_read(self._store.list(self._resource).items))
        return self._webhooks

    def close(self) -> None:
        self._changes.close()


def _read(configurations: Iterable[Obj]) -> Iterable[Webhook]:
    for configuration in sorted(configurations, key=name_of):
        for webhook in configuration.get("webhooks") or ():
            yield read_webhook(webhook)


def read_webhook(webhook: Obj) -> Webhook:
    versions = [v for v in webhook.get("admissionReviewVersions") or () if v in ("v1", "v1beta1")]
    return Webhook(
        name=str(webhook.get("name")),
        target=_target(webhook.get("clientConfig") or {}),
        rules=tuple(Rule.from_json(rule) for rule in webhook.get("rules") or ()),
        namespaces=_selector(webhook.get("namespaceSelector")),
        objects=_selector(webhook.get("objectSelector")),
        conditions=MatchConditions(webhook.get("matchConditions") or ()),
        fails_closed=webhook.get("failurePolicy") != "Ignore",
        equivalent=webhook.get("matchPolicy") != "Exact",
        timeout=int(webhook.get("timeoutSeconds") or DEFAULT_TIMEOUT_SECONDS),
        dry_run_safe=webhook.get("sideEffects") in ("None", "NoneOnDryRun"),
        reinvoked=webhook.get("reinvocationPolicy") == "IfNeeded",
        review_version=versions[0] if versions else "",
    )


def _selector(selector: Obj | None) -> Selector:
    return from_label_selector(selector) if selector else EVERYTHING


def _target(config: Obj) -> Target:
    try:
        ca_bundle = base64.b64decode(config.get("caBundle") or "").decode("ascii", "replace")
    except (binascii.Error, TypeError):
        ca_bundle = "unreadable"
    service = config.get("service") or {}
    return Target(
        url=config.get("url") or "",
        namespace=service.get("namespace") or "",
        service=service.get("name") or "",
        port=int(service.get("port") or 443),
        path=service.get("path") or "",
        ca_bundle=ca_bundle,
    )
