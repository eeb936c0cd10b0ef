"""POST /inject: pods that come into being get a proxy, or it is said why not."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import msgspec
from aiohttp import web

from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.networking.proxy_config import ProxyConfig
from lateen.api.objects import Key, Object
from lateen.api.schema.fault import Fault
from lateen.engine import Engine, Reader, query
from lateen.injection.configuration import InjectionConfig
from lateen.injection.decision import decide
from lateen.injection.inject import Facts, Refused, inject
from lateen.injection.json_patch import json_patch
from lateen.model.inputs import MESH_CONFIG, NAMESPACES, PROXY_CONFIGS
from lateen.webhooks.admission import AdmissionRequest, BadReview, allowed, denied, read_review
from lateen.webhooks.aside import Aside
from lateen.webhooks.events import Events
from lateen.webhooks.injection_configuration import InjectionConfiguration
from lateen.webhooks.injection_url import proxy_environment

PATH: Final = "/inject"

_LARGE: Final = 32 * 1024
"""Bytes of a review. Pods of people have a few kilobytes; what has more may take a noticeable time."""
_LONGEST_NAME: Final = 253

_log = logging.getLogger(__name__)


class Surroundings(msgspec.Struct, frozen=True):
    """What counts for pods of a namespace."""

    mesh: MeshConfig
    proxy_configs: tuple[Object[ProxyConfig], ...]
    annotations: Mapping[str, str]
    """Of the namespace."""


@query
def surroundings(db: Reader, namespace: str) -> Surroundings:
    """Of the mesh as it is known now."""
    mesh = MESH_CONFIG.get(db)
    found = []
    for where in dict.fromkeys((mesh.root_namespace, namespace)):
        for key in PROXY_CONFIGS.where(db, "namespace", where):
            value = PROXY_CONFIGS.get(db, key)
            if value is not None:
                found.append(value)
    own = NAMESPACES.get(db, Key("", namespace))
    return Surroundings(mesh, tuple(found), own.metadata.annotations if own is not None else {})


class Injecting:
    """Answers from what the engine knows. `outcomes` counts pods by `injected`, `skipped` and `failed`."""

    def __init__(self, engine: Engine, configuration: InjectionConfiguration, events: Events) -> None:
        self._engine = engine
        self._configuration = configuration
        self._events = events
        self._small, self._large = Aside(), Aside()
        self.outcomes: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """Behind the path there may be settings of the proxy: `/inject/cluster/CLUSTER/net/NETWORK`."""
        return [web.post(PATH, self._handle), web.post(f"{PATH}/{{settings:.*}}", self._handle)]

    async def _handle(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return web.Response(status=415, text="expected application/json\n")
        body = await request.read()
        try:
            asked = read_review(body)
        except BadReview as bad:
            return web.Response(status=400, text=f"{bad}\n")
        configuration = self._configuration.current
        if configuration is None:
            # The API server's failure policy decides: a pod must not come in without its proxy by mistake of ours.
            return web.Response(status=503, text="there is no good injection configuration yet\n")
        settings = proxy_environment(request.match_info.get("settings", ""))
        answer = await self.judge(asked, settings, large=len(body) > _LARGE)
        return web.Response(body=answer, content_type="application/json")

    async def judge(self, asked: AdmissionRequest, environment: Mapping[str, str], *, large: bool = False) -> bytes:
        """The answer to one request. It is made beside everything else, one after another; what is `large` holds up
        no other."""
        configuration = self._configuration.current
        if configuration is None or asked.operation != "CREATE" or not isinstance(asked.object, Mapping):
            return allowed(asked)
        pod = _placed(asked)
        namespace = asked.namespace or str(pod["metadata"].get("namespace") or "default")
        if len(namespace) > _LONGEST_NAME:
            return denied(asked, f"metadata.namespace: expected a name, got {len(namespace)} characters")
        decision = decide(pod, namespace, configuration)
        if not decision.inject:
            self.outcomes["skipped"] += 1
            self._tell(asked, pod, namespace, "NotInjected", f"no proxy was injected: {decision.reason}")
            audit = {"injected": "false", "reason": decision.reason}
            return allowed(asked, warnings=[f"no proxy was injected: {decision.reason}"], audit=audit)
        around = self._engine.get(surroundings, namespace)
        facts = Facts(
            namespace=namespace,
            namespace_annotations=around.annotations,
            proxy_configs=around.proxy_configs,
            version=self._configuration.version,
            environment=environment,
        )
        work = partial(_injected, asked, pod, decision.reason, facts, around.mesh, configuration)
        try:
            if configuration.templates and not large:
                # Users' templates may take their time, which others are not to wait for.
                answer = await asyncio.to_thread(work)
            else:
                answer = await (self._large if large else self._small).run(work)
        except Refused as refused:
            self.outcomes["failed"] += 1
            message = f"no proxy can be injected: {refused}"
            self._tell(asked, pod, namespace, "InjectionFailed", message)
            causes = [(fault.path, fault.message) for fault in refused.faults]
            return denied(asked, message, causes=causes, audit={"injected": "false", "reason": str(refused)})
        self.outcomes["injected"] += 1
        return answer

    def _tell(self, asked: AdmissionRequest, pod: Mapping[str, Any], namespace: str, reason: str, text: str) -> None:
        name = pod["metadata"].get("name") or pod["metadata"].get("generateName")
        _log.info("pod %s/%s: %s", namespace, name, text)
        if not asked.dry_run:
            self._events.put(_subject(pod, namespace), reason, text, warning=reason == "InjectionFailed")


def _injected(
    asked: AdmissionRequest,
    pod: Mapping[str, Any],
    reason: str,
    facts: Facts,
    mesh: MeshConfig,
    configuration: InjectionConfig,
) -> bytes:
    """The answer with the patch. Raises Refused."""
    result = inject(pod, facts, mesh, configuration)
    audit = {"injected": "true", "reason": reason, "templates": ",".join(result.templates)}
    patch = json_patch(asked.object, _as_asked(result.pod, asked))
    return allowed(asked, patch=patch, warnings=[_words(fault) for fault in result.warnings], audit=audit)


def _placed(asked: AdmissionRequest) -> dict[str, Any]:
    """With the namespace of the request, where the pod of a Deployment has none yet."""
    metadata = asked.object.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, Mapping) else {}
    if asked.namespace and not metadata.get("namespace"):
        metadata["namespace"] = asked.namespace
    # Of no use for injection, and often the largest part.
    metadata.pop("managedFields", None)
    return {**asked.object, "metadata": metadata}


def _as_asked(pod: Mapping[str, Any], asked: AdmissionRequest) -> dict[str, Any]:
    """The patch is to be of what was injected alone."""
    before = asked.object.get("metadata") or {}
    metadata = {key: value for key, value in pod["metadata"].items() if key != "namespace"}
    metadata |= {key: before[key] for key in ("namespace", "managedFields") if key in before}
    return {**pod, "metadata": metadata}


def _subject(pod: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """What an event is about: the pod has no name or UID yet, so its owner, or else the namespace."""
    owners = pod["metadata"].get("ownerReferences") or ()
    owner = next((each for each in owners if each.get("controller")), None)
    if owner is None:
        return {"apiVersion": "v1", "kind": "Namespace", "name": namespace, "namespace": namespace}
    named = {key: owner[key] for key in ("apiVersion", "kind", "name", "uid") if key in owner}
    return {**named, "namespace": namespace}


def _words(fault: Fault) -> str:
    return f"{fault.path}: {fault.message}" if fault.path else fault.message
