"""A certificate for whoever proves to be a workload: authentication, limits, facts, signing; whatever the transport."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum

import msgspec

from lateen.identity.authority import Authority
from lateen.identity.caller import Authenticator, Caller, CannotVerify, Evidence, Refused
from lateen.identity.current import CurrentAuthority
from lateen.identity.limits import IssueLimits, KeyedRate
from lateen.identity.pods import Holder, Pods, facts_about, nobody
from lateen.identity.signing import AuthorityExpired, BadSigningRequest, Issued, Validity, public_key_of, sign
from lateen.identity.throttled import TooManyRefusals

_log = logging.getLogger(__name__)


class CertificateRequest(msgspec.Struct, frozen=True):
    """What is asked for."""

    csr: str
    """PEM."""
    seconds: int = 0
    """How long the certificate is to be valid; zero or less for the default."""
    signer: str = ""
    """Of Kubernetes' signers, the one that is to sign (Istio's metadata `CertSigner`)."""
    impersonated: str = ""
    """A SPIFFE ID on whose behalf a node's proxy asks (Istio's metadata `ImpersonatedIdentity`)."""


class Reason(Enum):
    """Why there is no certificate, by the name of gRPC's status."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    """To be tried again."""
    INTERNAL = "INTERNAL"


class NotIssued(Exception):
    """The message is for whoever asked."""

    def __init__(self, reason: Reason, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after
        """Seconds to stay away; 0: no word on that."""


class Issuer:
    """Of one mesh. `cluster` is the name of the cluster whose `pods` callers are.

    `holder` tells which pod (`namespace/name`) an address is of, as far as is known: a token that is bound to another
    pod has been taken from it.
    """

    def __init__(
        self,
        current: CurrentAuthority,
        authenticator: Authenticator,
        pods: Pods,
        *,
        cluster: str,
        validity: Validity | None = None,
        limits: IssueLimits | None = None,
        holder: Holder = nobody,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._current = current
        self._authenticator = authenticator
        self._pods = pods
        self._cluster = cluster
        self._validity = validity or Validity()
        self._limits = limits = limits or IssueLimits()
        self._holder = holder
        self._now = now
        self._running = 0
        self._pod_rate = KeyedRate(limits.pod_per_second, limits.pod_burst, limits.remembered)
        self._identity_rate = KeyedRate(limits.identity_per_second, limits.identity_burst, limits.remembered)
        self.outcomes: Counter[str] = Counter()
        """Calls by outcome: `issued`, or the reason."""

    async def issue(self, evidence: Evidence, request: CertificateRequest) -> Issued:
        """Raises NotIssued, and nothing else."""
        if self._running >= self._limits.at_once:
            self.outcomes[Reason.RESOURCE_EXHAUSTED.value] += 1
            raise NotIssued(Reason.RESOURCE_EXHAUSTED, "too many certificates are asked for at once", 1.0)
        self._running += 1
        try:
            issued = await self._issue(evidence, request)
        except NotIssued as refusal:
            self.outcomes[refusal.reason.value] += 1
            # Those that are not listened to do not fill the log either.
            level = logging.DEBUG if refusal.reason is Reason.RESOURCE_EXHAUSTED else logging.INFO
            _log.log(level, "no certificate (%s): %s", refusal.reason.value, refusal)
            raise
        except Exception as error:
            self.outcomes[Reason.INTERNAL.value] += 1
            _log.exception("no certificate")
            raise NotIssued(Reason.INTERNAL, "internal error") from error
        finally:
            self._running -= 1
        self.outcomes["issued"] += 1
        return issued

    async def _issue(self, evidence: Evidence, request: CertificateRequest) -> Issued:
        self._authority()
        try:
            caller = await self._authenticator.authenticate(evidence)
            self._count(caller)
            if request.impersonated:
                raise Refused("certificates on behalf of others are not issued yet", denied=True)
            if request.signer:
                raise BadSigningRequest(f"there is no signer {request.signer!r}: signers are not supported yet")
            key = public_key_of(request.csr.encode())
            facts = await facts_about(caller, self._pods, self._cluster, evidence.address, self._holder)
            issued = sign(
                # As it is by now: another may have taken its place meanwhile.
                self._authority(), key, caller.identity, facts, now=self._now(), asked=self._asked(request.seconds),
                validity=self._validity,
            )  # fmt: skip
        except Refused as refused:
            reason = Reason.PERMISSION_DENIED if refused.denied else Reason.UNAUTHENTICATED
            raise NotIssued(reason, str(refused)) from None
        except TooManyRefusals as many:
            raise NotIssued(Reason.RESOURCE_EXHAUSTED, str(many), many.wait) from None
        except CannotVerify as problem:
            raise NotIssued(Reason.UNAVAILABLE, str(problem), 1.0) from None
        except BadSigningRequest as bad:
            raise NotIssued(Reason.INVALID_ARGUMENT, str(bad)) from None
        except AuthorityExpired as expired:
            raise NotIssued(Reason.INTERNAL, str(expired)) from None
        _log.info("certificate %x for %s until %s", issued.serial, caller.identity, issued.not_after.isoformat())
        return issued

    def _authority(self) -> Authority:
        if self._current.authority is None:
            raise NotIssued(Reason.UNAVAILABLE, "there is no certificate authority now", 1.0)
        return self._current.authority

    def _count(self, caller: Caller) -> None:
        now = time.monotonic()
        if caller.pod is not None:
            wait = self._pod_rate.take(caller.pod.uid, now)
        else:
            wait = self._identity_rate.take(caller.identity, now)
        if wait:
            raise NotIssued(
                Reason.RESOURCE_EXHAUSTED, f"{caller.identity} asks for certificates too often", max(1.0, wait)
            )

    def _asked(self, seconds: int) -> timedelta:
        """More than a century is as much too long as what does not fit a timedelta."""
        return timedelta(seconds=min(max(seconds, 0), 100 * 365 * 86400))
