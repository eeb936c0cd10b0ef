"""Authentication by a certificate that the mesh has issued before: renewal."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from cryptography import x509

from lateen.identity.caller import Caller, Evidence, Refused
from lateen.identity.facts import facts_in
from lateen.model.identity import spiffe_identity


class ByCertificate:
    """By the SPIFFE identity in the client certificate. Its Subject goes on to the next one.

    `trust_domains` gives those whose workloads may renew here (the mesh's own, as it is now): roots may vouch for more.
    """

    def __init__(
        self, trust_domains: Callable[[], Collection[str]], *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._trust_domains = trust_domains
        self._now = now

    async def authenticate(self, evidence: Evidence) -> Caller:
        if not evidence.certificate:
            raise Refused("no client certificate")
        try:
            certificate = x509.load_pem_x509_certificate(evidence.certificate)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, x509.InvalidVersion, x509.ExtensionNotFound, x509.DuplicateExtension):
            raise Refused("the client certificate has no SPIFFE identity") from None
        found = [spiffe_identity(uri) for uri in names.get_values_for_type(x509.UniformResourceIdentifier)]
        if len(found) != 1 or found[0] is None:
            raise Refused("the client certificate has not one SPIFFE identity")
        # The handshake may be long ago.
        if not certificate.not_valid_before_utc <= self._now() < certificate.not_valid_after_utc:
            raise Refused("the client certificate is not valid now")
        if found[0].trust_domain not in self._trust_domains():
            raise Refused(f"trust domain {found[0].trust_domain!r} is not one of this mesh's", denied=True)
        return Caller(found[0], facts=facts_in(certificate.subject))
