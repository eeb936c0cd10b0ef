from __future__ import annotations

import base64
import datetime as dt
import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lateen.cluster.layout import Layout
from lateen.cluster.pki.create import LIFETIME, RENEWAL, create_pki, load_authority
from lateen.cluster.pki.paths import PkiPaths

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout("demo", 3, tmp_path / "demo")


def contents(layout: Layout) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in layout.root.rglob("*") if path.is_file()}


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_everything_is_made_and_private(layout: Layout) -> None:
    create_pki(layout, 2, NOW)
    paths = PkiPaths(layout)
    for path in contents(layout):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    authority = load_authority(paths.ca)
    for pair in (paths.apiserver, paths.apiserver_kubelet_client, paths.kubelet_serving(2), paths.client("admin")):
        assert authority.has_issued(certificate(pair.certificate))
        key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
        assert key.public_key() == certificate(pair.certificate).public_key()


def test_a_second_call_changes_nothing(layout: Layout) -> None:
    create_pki(layout, 1, NOW)
    before = contents(layout)
    create_pki(layout, 1, NOW + dt.timedelta(days=1))
    assert contents(layout) == before


def test_growing_adds_only_the_new_node(layout: Layout) -> None:
    create_pki(layout, 1, NOW)
    before = contents(layout)
    create_pki(layout, 2, NOW)
    after = contents(layout)
    assert {path: after[path] for path in before} == before
    assert {path.name for path in after.keys() - before.keys()} == {
        "demo-node-2-serving.crt",
        "demo-node-2-serving.key",
        "demo-node-2-client.crt",
        "demo-node-2-client.key",
        "demo-node-2.conf",
    }


def test_near_expiry_certificates_are_renewed_but_not_the_authority(layout: Layout) -> None:
    create_pki(layout, 1, NOW)
    paths = PkiPaths(layout)
    before = contents(layout)
    later = NOW + LIFETIME - RENEWAL + dt.timedelta(days=1)
    create_pki(layout, 1, later)
    after = contents(layout)
    kept = {path for path in before if after[path] == before[path]}
    assert kept == {
        paths.ca.certificate,
        paths.ca.key,
        paths.service_account_key,
        paths.service_account_public_key,
    }
    embedded = yaml.safe_load(paths.kubeconfig("admin").read_text())["users"][0]["user"]["client-certificate-data"]
    renewed = x509.load_pem_x509_certificate(base64.b64decode(embedded))
    assert renewed.not_valid_after_utc == later + LIFETIME


def test_a_damaged_pair_is_made_anew(layout: Layout) -> None:
    create_pki(layout, 1, NOW)
    pair = PkiPaths(layout).apiserver
    pair.key.write_bytes(PkiPaths(layout).client("admin").key.read_bytes())
    create_pki(layout, 1, NOW)
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    assert key.public_key() == certificate(pair.certificate).public_key()


def test_the_api_server_answers_to_all_its_names(layout: Layout) -> None:
    create_pki(layout, 1, NOW)
    found = certificate(PkiPaths(layout).apiserver.certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "kubernetes.default.svc.cluster.local" in names.get_values_for_type(x509.DNSName)
    addresses = {str(a) for a in names.get_values_for_type(x509.IPAddress)}
    assert {"127.0.0.1", "::1", "10.195.0.1", str(layout.services_ipv6[1]), "10.67.0.1"} <= addresses


def test_identities(layout: Layout) -> None:
    create_pki(layout, 1, NOW)
    paths = PkiPaths(layout)

    def subject(name: str) -> str:
        return certificate(paths.client(name).certificate).subject.rfc4514_string()

    assert subject("admin") == "CN=kubernetes-admin,O=system:masters"
    assert subject("controllers") == "CN=system:kube-controller-manager"
    assert subject("fabric") == "CN=system:cloud-controller-manager"
    assert subject("demo-node-1") == "CN=system:node:demo-node-1,O=system:nodes"


def test_kubeconfigs_point_at_the_right_address(layout: Layout) -> None:
    create_pki(layout, 1, NOW)
    paths = PkiPaths(layout)

    def server(name: str) -> str:
        document = yaml.safe_load(paths.kubeconfig(name).read_text())
        return str(document["clusters"][0]["cluster"]["server"])

    assert server("admin") == "https://127.0.0.1:6446"
    assert server("demo-node-1") == "https://10.67.0.1:6446"
