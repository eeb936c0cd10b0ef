"""What the control plane's TLS servers serve with: kept true as roots rotate, certificates age and files change."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from lateen.identity.authority import Authority
from lateen.identity.current import CurrentAuthority
from lateen.identity.serving import ServingCertificate, load_pair, serving_certificate
from lateen.identity.signing import AuthorityExpired
from lateen.istiod.configuration import Certificates
from lateen.istiod.front.secrets import TlsMaterial

_log = logging.getLogger(__name__)

_INTERVAL: Final = 2.0
"""Seconds between two looks: at the files, and at what has been issued."""
LIFE: Final = timedelta(days=1)
"""Of the certificate that the control plane gives itself; it makes another one in half of that."""


class TlsKeeper:
    """Tells everybody in `tell` of what is to be served with, when there is something and whenever it changes.

    With `files` their certificate is served; otherwise one for `names` by the mesh's authority. Clients are verified
    by the authority's roots and those of the files.
    """

    def __init__(
        self,
        *,
        current: CurrentAuthority | None,
        files: Certificates | None,
        names: tuple[str, ...],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        interval: float = _INTERVAL,
    ) -> None:
        """At least one of `current` and `files` is given."""
        self._current = current
        self._files = files
        self._names = names
        self._now = now
        self._interval = interval
        self._tell: list[Callable[[TlsMaterial], None]] = []
        self._stirred = asyncio.Event()
        self._there = asyncio.Event()
        self._issued: tuple[Authority, ServingCertificate, datetime] | None = None
        """By whom, what, and until when it is good enough: half of its life, however short that is."""
        self._reported = ""
        self.material: TlsMaterial | None = None
        """None until there is some."""

    def tell(self, whom: Callable[[TlsMaterial], None]) -> None:
        """Now, if there is something to tell, and after every change."""
        self._tell.append(whom)
        if self.material is not None:
            whom(self.material)

    def changed(self) -> None:
        """The authority is another one."""
        self._stirred.set()

    async def known(self) -> TlsMaterial:
        """Once there is some."""
        while self.material is None:
            await self._there.wait()
        return self.material

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._stirred.clear()
            self.look()
            try:
                async with asyncio.timeout(self._interval):
                    await self._stirred.wait()
            except TimeoutError:
                continue

    def look(self) -> None:
        """Once. What does not hold together does not take the place of what does."""
        try:
            found = self._material()
        except (OSError, AuthorityExpired) as problem:
            if str(problem) != self._reported:
                _log.error("what TLS is served with: %s", problem)
            self._reported = str(problem)
            return
        self._reported = ""
        if found is None or found == self.material:
            return
        _log.info("serving TLS with another certificate or other roots" if self.material else "serving TLS")
        for each in self._tell:
            each(found)
        self.material = found
        self._there.set()

    def _material(self) -> TlsMaterial | None:
        authority = self._current.authority if self._current is not None else None
        if self._current is not None and authority is None:
            # Without its roots clients would not even be asked for a certificate.
            return None
        if self._files is not None:
            found = read_files(self._files)
            return TlsMaterial(found.chain, found.key, found.roots + (authority.bundle if authority else ""))
        assert authority is not None, "neither files nor an authority"
        issued = self._certificate(authority)
        return TlsMaterial(issued.chain, issued.key, authority.bundle)

    def _certificate(self, authority: Authority) -> ServingCertificate:
        now = self._now()
        held = self._issued
        # Roots come and go in a rotation before another one signs.
        if held is None or held[0].certificate != authority.certificate or now >= held[2]:
            issued = serving_certificate(authority, self._names, now=now, life=LIFE)
            held = authority, issued, now + (issued.not_after - now) / 2
        self._issued = held
        return held[1]


def read_files(files: Certificates) -> TlsMaterial:
    """Raises OSError that names the file when one cannot be read, or is not what it should be."""
    chain, key = files.certificate.read_text(errors="replace"), files.key.read_text(errors="replace")
    roots = files.roots.read_text(errors="replace") if files.roots is not None else ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        load_pair(context, chain, key)
    except ssl.SSLError as error:
        raise OSError(f"{files.certificate}, {files.key}: not a certificate chain and its key: {error}") from error
    if files.roots is not None:
        try:
            context.load_verify_locations(cadata=roots)
        except (ssl.SSLError, ValueError) as error:
            raise OSError(f"{files.roots}: no certificates: {error}") from error
    return TlsMaterial(chain, key, roots)


def serving_names(namespace: str, revision: str, domain: str, custom: tuple[str, ...]) -> tuple[str, ...]:
    """The names that a control plane is called by (Istio: those of its Services, of its revision and its own)."""
    services = ["istiod", "istiod-remote", "istio-pilot"]
    if revision and revision != "default":
        services[:0] = [f"istiod-{revision}", f"istiod-{revision}-remote"]
    suffixes = (f"{namespace}.svc", namespace, f"{namespace}.svc.{domain}")
    return tuple(dict.fromkeys((*custom, *(f"{service}.{suffix}" for suffix in suffixes for service in services))))
