"""Puts authentication and authorization together: what the server mounts, starts and asks."""

from __future__ import annotations

import asyncio
import datetime as dt

from lateen.cluster.apiserver.auth import openid
from lateen.cluster.apiserver.auth.access_review import AccessReviews
from lateen.cluster.apiserver.auth.aggregation import run_aggregation
from lateen.cluster.apiserver.auth.authenticator import Authenticator
from lateen.cluster.apiserver.auth.bootstrap import bootstrap
from lateen.cluster.apiserver.auth.csr_signer import CertificateSigner
from lateen.cluster.apiserver.auth.impersonation import Headers, impersonate
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.auth.secret_tokens import SecretTokens
from lateen.cluster.apiserver.auth.token_keys import TokenKeys
from lateen.cluster.apiserver.auth.token_request import TokenRequests
from lateen.cluster.apiserver.auth.token_review import TokenReviews, create_self_subject_review
from lateen.cluster.apiserver.auth.token_verifier import Clock, TokenVerifier
from lateen.cluster.apiserver.request import User
from lateen.cluster.apiserver.rest.call import SubresourceRoutes, VirtualRoutes
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.layout import Layout
from lateen.cluster.pki.create import load_authority
from lateen.cluster.pki.paths import PkiPaths


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class AccessControl:
    """One API server's authentication and authorization. Needs the cluster's PKI on disk."""

    def __init__(self, store: Store, layout: Layout, clock: Clock = utc_now) -> None:
        """Raises OSError or ValueError when the PKI is missing or unusable."""
        self._store = store
        self._layout = layout
        paths = PkiPaths(layout)
        self.keys = TokenKeys.load(paths.service_account_key)
        self.verifier = TokenVerifier(self.keys, store, clock)
        self.authenticator = Authenticator(self.verifier, clock)
        self.authorizer = Authorizer(store)
        self._token_requests = TokenRequests(self.keys, store, clock)
        self._signer = CertificateSigner(store, load_authority(paths.ca), self.authorizer, clock)
        self._secret_tokens = SecretTokens(store, self.keys, paths.ca.certificate.read_bytes())

    def acting_user(self, user: User, headers: Headers) -> User:
        """Whom an authenticated user acts as. Raises StatusError 403 when it may not."""
        return impersonate(user, headers, self.authorizer)

    def subresources(self) -> SubresourceRoutes:
        return {("", "serviceaccounts", "token"): self._token_requests.create}

    def virtual_resources(self) -> VirtualRoutes:
        access, tokens = AccessReviews(self.authorizer), TokenReviews(self.verifier)
        return {
            ("authentication.k8s.io", "tokenreviews"): tokens.create,
            ("authentication.k8s.io", "selfsubjectreviews"): create_self_subject_review,
            ("authorization.k8s.io", "subjectaccessreviews"): access.create_subject,
            ("authorization.k8s.io", "localsubjectaccessreviews"): access.create_local,
            ("authorization.k8s.io", "selfsubjectaccessreviews"): access.create_self,
            ("authorization.k8s.io", "selfsubjectrulesreviews"): access.create_self_rules,
        }

    def documents(self) -> dict[str, tuple[str, bytes]]:
        """Path -> (content type, body) of what is served as it is (OpenID discovery); reading needs authorization."""
        return openid.documents(self.keys, self._layout.fabric_api_url)

    async def bootstrap(self) -> None:
        """Ensures the default RBAC objects and priority classes. Call before serving."""
        await bootstrap(self._store)

    async def run(self) -> None:
        """The reconcilers that live in the API server; runs until cancelled or the store closes."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run_aggregation(self._store))
            tasks.create_task(self._signer.run())
            tasks.create_task(self._secret_tokens.run())
