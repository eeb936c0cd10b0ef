"""Fills Secrets of type `kubernetes.io/service-account-token`, and removes those whose ServiceAccount is gone.

Source: kubernetes pkg/controller/serviceaccount/tokens_controller.go.
"""

from __future__ import annotations

import base64

from lateen.cluster.apiserver.auth import service_account
from lateen.cluster.apiserver.auth.service_account import (
    SECRET_NAME_ANNOTATION,
    SECRET_UID_ANNOTATION,
    TOKEN_SECRET_TYPE,
)
from lateen.cluster.apiserver.auth.token_keys import TokenKeys
from lateen.cluster.apiserver.store.event import GroupResource
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.apiserver.store_follower import follow
from lateen.cluster.objects import Key, Obj, annotations_of, deep_copy, key_of, metadata, name_of, uid_of

_SECRETS: GroupResource = ("", "secrets")
_ACCOUNTS: GroupResource = ("", "serviceaccounts")


class SecretTokens:
    """Tokens in Secrets hold until their Secret or ServiceAccount is deleted."""

    def __init__(self, store: Store, keys: TokenKeys, ca_certificate: bytes) -> None:
        self._store = store
        self._keys = keys
        self._ca_certificate = ca_certificate

    async def run(self) -> None:
        """Runs until cancelled, or until the store closes."""
        await follow(self._store, [_SECRETS, _ACCOUNTS], self.reconcile)

    async def reconcile(self, resource: GroupResource, key: Key) -> None:
        if resource == _SECRETS:
            secret = self._store.get(_SECRETS, key)
            if secret is not None:
                await self._ensure(secret)
            return
        for secret in self._store.list(_SECRETS, key.namespace).items:
            if annotations_of(secret).get(SECRET_NAME_ANNOTATION) == key.name:
                await self._ensure(secret)

    async def _ensure(self, secret: Obj) -> None:
        if secret.get("type") != TOKEN_SECRET_TYPE or metadata(secret).get("deletionTimestamp"):
            return
        account_name = annotations_of(secret).get(SECRET_NAME_ANNOTATION, "")
        account = self._store.get(_ACCOUNTS, Key(key_of(secret).namespace, account_name))
        uid = annotations_of(secret).get(SECRET_UID_ANNOTATION)
        version = metadata(secret).get("resourceVersion")
        if account is None or (uid and uid != uid_of(account)):
            await self._store.delete(_SECRETS, key_of(secret), version)
            return
        filled = self._fill(secret, account)
        if filled != secret:
            await self._store.update(_SECRETS, filled, version)

    def _fill(self, secret: Obj, account: Obj) -> Obj:
        filled: Obj = deep_copy(secret)
        data = filled["data"] = filled.get("data") or {}
        if not data.get("token"):
            data["token"] = _encoded(self._keys.sign(service_account.legacy_claims(account, name_of(secret))).encode())
        data["namespace"] = _encoded(key_of(secret).namespace.encode())
        data["ca.crt"] = _encoded(self._ca_certificate)
        filled["metadata"].setdefault("annotations", {})[SECRET_UID_ANNOTATION] = uid_of(account)
        return filled


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()
