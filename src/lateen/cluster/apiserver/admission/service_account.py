"""Gives each pod its ServiceAccount, with the token volume and the image pull secrets that come with it.

Source: kubernetes plugin/pkg/admission/serviceaccount.
"""

from __future__ import annotations

import asyncio

from lateen.cluster.apiserver.admission.attributes import CREATE, Attributes
from lateen.cluster.apiserver.admission.plugin import Plugin
from lateen.cluster.apiserver.auth.token_request import WARN_ONLY_SECONDS
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key, Obj, annotations_of, deep_copy
from lateen.cluster.safe_alphabet import random_suffix

DEFAULT_NAME = "default"
TOKEN_MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_VOLUME_PREFIX = "kube-api-access-"
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"

_DEFAULT_ACCOUNT_WAIT = 1.0
"""Seconds. A namespace gets its default ServiceAccount a moment after its creation; a pod may come in between."""


class ServiceAccountPlugin(Plugin):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def mutate(self, attributes: Attributes) -> None:
        if not _applies(attributes):
            return
        spec = attributes.spec()
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT_NAME
        # `serviceAccount` is the deprecated name of the same field; Kubernetes shows both.
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = await self._account(attributes, name)
        if _wants_token(spec, account):
            mount_token(spec)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = deep_copy(account["imagePullSecrets"])

    async def validate(self, attributes: Attributes) -> None:
        if _applies(attributes):
            name = attributes.spec().get("serviceAccountName")
            if not name:
                raise attributes.refuse("no service account specified for pod " + attributes.name)
            await self._account(attributes, name)

    async def _account(self, attributes: Attributes, name: str) -> Obj:
        key = Key(attributes.namespace, name)
        account = self._store.get(("", "serviceaccounts"), key)
        if account is None and name == DEFAULT_NAME:
            account = await self._await_account(key)
        if account is None:
            raise attributes.refuse(
                f'error looking up service account {attributes.namespace}/{name}: serviceaccount "{name}" not found'
            )
        return account

    async def _await_account(self, key: Key) -> Obj | None:
        with self._store.watch(("", "serviceaccounts"), key.namespace) as watch:
            try:
                async with asyncio.timeout(_DEFAULT_ACCOUNT_WAIT):
                    async for event in watch:
                        if event.key == key:
                            break
            except TimeoutError:
                return None
        return self._store.get(("", "serviceaccounts"), key)


def mount_token(spec: Obj) -> None:
    """Mounts the token volume in every container that has nothing else there, adding the volume when needed."""
    volumes = spec.get("volumes") or []
    existing = next((v["name"] for v in volumes if str(v.get("name", "")).startswith(TOKEN_VOLUME_PREFIX)), None)
    name = existing or TOKEN_VOLUME_PREFIX + random_suffix()
    mounted = False
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        mounts = container.get("volumeMounts") or []
        if any(mount.get("mountPath") == TOKEN_MOUNT_PATH for mount in mounts):
            continue
        container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": TOKEN_MOUNT_PATH}]
        mounted = True
    if mounted and existing is None:
        spec["volumes"] = [*volumes, token_volume(name)]


def token_volume(name: str) -> Obj:
    """The projected volume with token, CA certificate and namespace."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    certificate = {"key": "ca.crt", "path": "ca.crt"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": WARN_ONLY_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [certificate]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}


def _applies(attributes: Attributes) -> bool:
    return (
        attributes.operation == CREATE
        and attributes.is_("pods")
        and attributes.obj is not None
        and MIRROR_ANNOTATION not in annotations_of(attributes.obj)
    )


def _wants_token(spec: Obj, account: Obj) -> bool:
    for choice in (spec.get("automountServiceAccountToken"), account.get("automountServiceAccountToken")):
        if choice is not None:
            return bool(choice)
    return True
