"""The mesh's certificate authority, put together: where it comes from, who may ask, and who learns its roots."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from lateen.engine import Engine
from lateen.identity.cacerts import PluggedDirectory, present
from lateen.identity.caller import AnyOf, Authenticator
from lateen.identity.certificates import ByCertificate
from lateen.identity.current import CurrentAuthority
from lateen.identity.distribution import RootDistribution
from lateen.identity.fetch import fetch
from lateen.identity.issuing import Issuer
from lateen.identity.key_set import KeySet
from lateen.identity.kubernetes_tokens import KubernetesTokens
from lateen.identity.oidc_tokens import OidcTokens
from lateen.identity.pods import FromOwnPod, KubernetesPods
from lateen.identity.root_secret import RootSecret
from lateen.identity.rotation import RotationTerms
from lateen.identity.self_signed import RootTerms
from lateen.identity.signing import Validity
from lateen.identity.throttled import Throttled
from lateen.identity.watched_api import WatchedApi
from lateen.istiod.configuration import ConfigurationError
from lateen.istiod.pod_addresses import PodAddresses
from lateen.model.mesh import trust_domain, trust_domain_aliases
from lateen.settings import IstiodSettings
from lateen.status.lease import Lease

AUTHORITY_LEASE: Final = "istio-ca-leader"
DISTRIBUTION_LEASE: Final = "istio-namespace-controller-election"

Parts = dict[str, Callable[[], Awaitable[None]]]


class MeshIdentity:
    """Run `parts`; `changed` is called after every change of the authority."""

    def __init__(
        self,
        api: WatchedApi,
        engine: Engine,
        settings: IstiodSettings,
        *,
        synced: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        """`synced` returns when MeshConfig is known. Raises ConfigurationError for times that do not go together."""
        self._api = api
        self._engine = engine
        self._settings = settings
        self._synced = synced
        self._told = changed
        self.current = CurrentAuthority(self._changed)
        self._distribution = RootDistribution(api, self.current)
        self._plugged = (
            PluggedDirectory(settings.plugged_directory, self.current) if present(settings.plugged_directory) else None
        )
        self._secret = self._root_secret() if self._plugged is None else None
        tokens = self._tokens()
        pods, holder = KubernetesPods(api), PodAddresses(engine).holder
        callers = Throttled(AnyOf(*tokens, ByCertificate(self.trust_domains)))
        self.stream_callers = FromOwnPod(callers, pods, holder)
        """Those who ask for configuration."""
        self.debug_callers = Throttled(AnyOf(*tokens))
        """Those who ask what goes on inside."""
        self.issuer = Issuer(
            self.current,
            callers,
            pods,
            cluster=settings.cluster_id,
            validity=Validity(min(settings.default_life, settings.longest_life), settings.longest_life),
            holder=holder,
        )

    @property
    def parts(self) -> Parts:
        """What is to run: some of it in one replica at a time."""
        found: Parts = {"roots in namespaces": self._leased(DISTRIBUTION_LEASE, self._distribution.run)}
        if self._plugged is not None:
            found["plugged-in authority"] = self._plugged.run
        if self._secret is not None:
            found["root"] = self._secret.follow
            found["root keeper"] = self._leased(AUTHORITY_LEASE, self._secret.keep)
        return found

    def trust_domain(self) -> str:
        """MeshConfig's, as it is now."""
        return self._engine.get(trust_domain)

    def trust_domains(self) -> tuple[str, ...]:
        """With the aliases of MeshConfig."""
        return mesh_trust_domains(self._engine)

    def _changed(self) -> None:
        self._distribution.changed()
        self._told()

    def _leased(self, name: str, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        settings = self._settings

        async def run() -> None:
            # The root is named after the trust domain, and ConfigMaps of a mesh half read would be wrong.
            await self._synced()
            lease = Lease(self._api, namespace=settings.namespace, name=name, identity=settings.identity)
            await lease.run_while_held(work)

        return run

    def _tokens(self) -> list[Authenticator]:
        settings = self._settings
        audiences = settings.token_audiences
        found: list[Authenticator] = [
            KubernetesTokens(self._api, self.trust_domain, cluster=settings.cluster_id, audiences=audiences)
        ]
        if (rule := settings.jwt_rule) is not None:
            keys = KeySet(rule.issuer, fetch, keys_uri=rule.jwks_uri)
            found.append(OidcTokens(rule.issuer, keys, self.trust_domain, audiences=rule.audiences or audiences))
        return found

    def _root_secret(self) -> RootSecret:
        settings = self._settings
        try:
            return RootSecret(
                self._api,
                self.current,
                namespace=settings.namespace,
                root=RootTerms(lifetime=settings.root_life),
                rotation=RotationTerms(longest=settings.longest_life, lag=settings.rotation_lag),
                organization=self.trust_domain,
            )
        except ValueError as error:
            names = "CITADEL_SELF_SIGNED_CA_CERT_TTL, MAX_WORKLOAD_CERT_TTL, LATEEN_ROTATION_LAG"
            raise ConfigurationError(f"{names}: {error}") from error


def mesh_trust_domains(engine: Engine) -> tuple[str, ...]:
    """MeshConfig's trust domain and its aliases, as they are now."""
    return engine.get(trust_domain), *engine.get(trust_domain_aliases)
