from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from lateen.identity.self_signed import self_signed
from lateen.identity.serving import ServingCertificate, load_pair, serving_certificate

NOW = datetime.now(UTC)
ROOT = self_signed(NOW)
NAMES = ("istiod.istio-system.svc", "istiod.istio-system.svc.cluster.local")


@pytest.fixture(scope="module")
def made() -> ServingCertificate:
    return serving_certificate(ROOT, NAMES, now=NOW, life=timedelta(hours=2))


def verify(made: ServingCertificate, name: str) -> None:
    leaf, *path = x509.load_pem_x509_certificates(made.chain.encode())
    store = Store(list(ROOT.roots))
    PolicyBuilder().store(store).build_server_verifier(x509.DNSName(name)).verify(leaf, path)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_known_by_its_names(made: ServingCertificate, name: str) -> None:
    verify(made, name)


def test_and_by_no_other(made: ServingCertificate) -> None:
    with pytest.raises(VerificationError):
        verify(made, "istiod.elsewhere.svc")


def test_it_serves(made: ServingCertificate, tmp_path: Path) -> None:
    (tmp_path / "chain").write_text(made.chain)
    (tmp_path / "key").write_text(made.key)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "chain", tmp_path / "key")
    assert made.not_after == NOW.replace(microsecond=0) + timedelta(hours=2)


def test_its_key_is_not_shown(made: ServingCertificate) -> None:
    assert "PRIVATE" not in repr(made)


def test_a_server_presents_it_and_its_key_is_in_no_file(
    made: ServingCertificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "read-only"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(context, made.chain, made.key)
    assert "memfd:serving" not in open_files()
    client = ssl.create_default_context(cadata=ROOT.bundle)
    client_in, client_out, server_in, server_out = (ssl.MemoryBIO() for _ in range(4))
    asking = client.wrap_bio(client_in, client_out, server_hostname=NAMES[0])
    answering = context.wrap_bio(server_in, server_out, server_side=True)
    for _ in range(4):
        for side in (asking, answering):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        server_in.write(client_out.read())
        client_in.write(server_out.read())
    assert asking.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(made.chain)


def open_files() -> str:
    """What this process has open now; others of its threads may open and close meanwhile."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(link.readlink()))
    return "\n".join(found)


def test_a_key_of_another_certificate_is_refused(made: ServingCertificate) -> None:
    other = serving_certificate(ROOT, NAMES, now=NOW)
    with pytest.raises(ssl.SSLError):
        load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), made.chain, other.key)
