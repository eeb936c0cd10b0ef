"""Whatever arrives, identity refuses it in its own words, or takes it for what it proves."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import VerificationError
from hypothesis import given, settings
from hypothesis import strategies as st

from lateen.identity.facts import WorkloadFacts, facts_in, subject
from lateen.identity.messages import Request, decode_request
from lateen.identity.plugged import load
from lateen.identity.root_files import from_files, to_files
from lateen.identity.rotation import RootState, begin
from lateen.identity.self_signed import self_signed
from lateen.identity.signing import BadSigningRequest, public_key_of, sign
from lateen.model.identity import PeerIdentity
from lateen.testing.authorities import ec_key, rsa_key, signing_pair, signing_request, verified_names

NOW = datetime.now(UTC)
KEYS = (ec_key(), rsa_key())
REQUESTS = [x509.load_pem_x509_csr(signing_request(key).encode()).public_bytes(Encoding.DER) for key in KEYS]
ROOT = signing_pair("root")
LOWER = signing_pair("lower", ROOT)
FILES = {
    "ca-cert.pem": LOWER.pem, "ca-key.pem": LOWER.key_pem, "cert-chain.pem": b"", "root-cert.pem": ROOT.pem,
}  # fmt: skip
ROTATING = to_files(begin(RootState(self_signed(NOW)), self_signed(NOW), NOW))
WIRE = Request(csr="x" * 40, validity_duration=300, metadata={"ClusterID": "c", "n": 1}).SerializeToString()


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Some bytes changed, a part cut out or doubled."""
    found = bytearray(content)
    for _ in range(draw(st.integers(0, 3))):
        # Keys are others each time, and with them how long all is: what is tried shall not depend on that.
        place = draw(st.integers(0, 2**16 - 1)) % max(1, len(found))
        match draw(st.integers(0, 2)):
            case 0 if found:
                found[place] = draw(st.integers(0, 255))
            case 1:
                del found[place : place + draw(st.integers(1, 40))]
            case _:
                found[place:place] = found[place : place + draw(st.integers(1, 40))]
    return bytes(found)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.integers(0, 1))
def test_a_signing_request_gives_the_key_it_was_made_for_or_none(data: st.DataObject, which: int) -> None:
    der = data.draw(damaged(REQUESTS[which]))
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n" + b64encode(der) + b"\n-----END CERTIFICATE REQUEST-----\n"
    try:
        found = public_key_of(pem)
    except BadSigningRequest:
        return
    assert found == KEYS[which].public_key()


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(sorted(FILES)))
def test_plugged_files_hold_together_or_are_refused(data: st.DataObject, name: str) -> None:
    loaded = load(FILES | {name: data.draw(damaged(FILES[name]))}, NOW)
    if loaded.authority is None:
        assert loaded.faults
        return
    identity = PeerIdentity("n", "a", "d")
    issued = sign(loaded.authority, KEYS[0].public_key(), identity, WorkloadFacts(), now=NOW)
    try:
        assert verified_names((issued.certificate, *issued.path), issued.roots)[0] == [str(identity)]
    except VerificationError:
        # A root's own signature proves nothing, and proxies do not look at it; this verifier looks at its form.
        assert name == "root-cert.pem"
        root = x509.load_pem_x509_certificate(issued.roots[0].encode())
        with pytest.raises((ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm)):
            root.verify_directly_issued_by(root)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(sorted(ROTATING)))
def test_a_stored_root_is_read_or_refused(data: st.DataObject, name: str) -> None:
    read = from_files(ROTATING | {name: data.draw(damaged(ROTATING[name]))}, NOW)
    assert (read.state is None) <= bool(read.faults)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), damaged(WIRE)))
def test_a_message_is_read_or_refused(content: bytes) -> None:
    try:
        decode_request(content)
    except ValueError:
        return


_TEXT = st.one_of(st.text(max_size=80), st.from_regex(r"[a-zA-Z0-9._-]{1,80}", fullmatch=True))


@settings(max_examples=300, deadline=None)
@given(st.builds(WorkloadFacts, _TEXT, _TEXT, _TEXT, _TEXT, _TEXT, _TEXT, _TEXT))
def test_a_subject_tells_each_fact_as_it_is_or_not_at_all(facts: WorkloadFacts) -> None:
    name = subject(facts)
    told = facts_in(name)
    for field in facts.__struct_fields__:
        assert getattr(told, field) in ("", getattr(facts, field)[: len(getattr(told, field))])
    # Printed, it falls apart at commas into exactly its attributes, whatever the facts are.
    assert len([each for each in name.rfc4514_string().split(",") if each]) == len(name.rdns)
