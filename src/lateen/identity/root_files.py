"""The state of a self-signed root as the files of its Secret, and back.

`ca-cert.pem`, `ca-key.pem` and `root-cert.pem` are as Istio has them, so that either's Secret serves the other. The
rest is there during a rotation alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lateen.api.schema.fault import Fault, error
from lateen.identity.authority import Authority, pem
from lateen.identity.plugged import ISTIO_NAMES, Loaded, load
from lateen.identity.rotation import RootState

NEXT_CERTIFICATE: Final = "next-ca-cert.pem"
NEXT_KEY: Final = "next-ca-key.pem"
PREVIOUS_ROOT: Final = "previous-root-cert.pem"
SINCE: Final = "rotation-since"
"""RFC 3339."""


class Read(NamedTuple):
    state: RootState | None
    """None iff some fault is an error."""
    faults: tuple[Fault, ...]

    @property
    def loaded(self) -> Loaded:
        """As `CurrentAuthority` takes it."""
        return Loaded(self.state.authority if self.state is not None else None, self.faults)


def to_files(state: RootState) -> dict[str, bytes]:
    """All files of the Secret."""
    authority = state.authority
    files = {
        ISTIO_NAMES.certificate: pem(authority.certificate).encode(),
        ISTIO_NAMES.key: _key(authority),
        ISTIO_NAMES.chain: "".join(authority.path_pem).encode(),
        ISTIO_NAMES.roots: authority.bundle.encode(),
    }
    if state.incoming is not None:
        files[NEXT_CERTIFICATE] = pem(state.incoming.certificate).encode()
        files[NEXT_KEY] = _key(state.incoming)
    if state.outgoing is not None:
        files[PREVIOUS_ROOT] = pem(state.outgoing).encode()
    if state.since is not None:
        files[SINCE] = state.since.isoformat().encode()
    return files


def from_files(files: Mapping[str, bytes], now: datetime) -> Read:
    """Never raises, whatever the files contain."""
    loaded = load({name: files.get(name, b"") for name in ISTIO_NAMES}, now)
    if loaded.authority is None:
        return Read(None, loaded.faults)
    incoming, outgoing, since, faults = None, None, None, list(loaded.faults)
    if files.get(NEXT_CERTIFICATE):
        following = load(
            {ISTIO_NAMES.certificate: files[NEXT_CERTIFICATE], ISTIO_NAMES.key: files.get(NEXT_KEY, b"")}, now
        )
        incoming = following.authority
        faults.extend(error(f"data[{NEXT_CERTIFICATE}]", fault.message) for fault in following.faults if not incoming)
    if files.get(PREVIOUS_ROOT):
        try:
            outgoing = x509.load_pem_x509_certificate(files[PREVIOUS_ROOT])
        except (ValueError, x509.InvalidVersion):
            faults.append(error(f"data[{PREVIOUS_ROOT}]", "expected a certificate as PEM"))
    if files.get(SINCE):
        try:
            since = datetime.fromisoformat(files[SINCE].decode())
            if since.tzinfo is None:
                raise ValueError
        except ValueError:
            faults.append(error(f"data[{SINCE}]", "expected a time (RFC 3339)"))
    if incoming is not None and outgoing is not None:
        faults.append(error(f"data[{NEXT_CERTIFICATE}]", f"cannot be there together with {PREVIOUS_ROOT}"))
    if (incoming is not None or outgoing is not None) != (since is not None):
        faults.append(error(f"data[{SINCE}]", "is there if and only if a rotation is under way"))
    if len(faults) > len(loaded.faults):
        return Read(None, tuple(faults))
    known = {loaded.authority.anchor, outgoing, incoming.certificate if incoming is not None else None}
    others = tuple(each for each in loaded.authority.roots if each not in known)
    return Read(RootState(loaded.authority, incoming, outgoing, since, others), tuple(faults))


def _key(authority: Authority) -> bytes:
    return authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
