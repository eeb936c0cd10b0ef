"""Secrets that are files of the proxy's own; judged by Envoy."""

from __future__ import annotations

from pathlib import Path

from lateen.engine import Engine
from lateen.testing.certificates import Authority
from lateen.testing.envoy import accepts, decoded
from lateen.translate.resource import Resource, ResourceType
from lateen.translate.secrets import files


def secret(name: str) -> Resource:
    recipe = files.recipe(name)
    return Engine().get(recipe.query, *recipe.args)


def test_a_certificate_and_its_key() -> None:
    found = decoded(ResourceType.SDS, secret("file-cert:///a/c.pem~/b/k.pem")).tls_certificate
    assert (found.certificate_chain.filename, found.private_key.filename) == ("/a/c.pem", "/b/k.pem")
    assert found.watched_directory.path == "/a"


def test_authorities_and_what_they_have_revoked() -> None:
    found = decoded(ResourceType.SDS, secret("file-root:///a/ca.pem~/a/crl.pem")).validation_context
    assert (found.trusted_ca.filename, found.crl.filename) == ("/a/ca.pem", "/a/crl.pem")
    assert not decoded(ResourceType.SDS, secret("file-root:///a/ca.pem")).validation_context.HasField("crl")


def test_other_names_are_no_files() -> None:
    assert not files.is_file("kubernetes://file-cert")


def test_envoy_accepts_them(tmp_path: Path) -> None:
    authority = Authority()
    pair = authority.issue("a.com")
    content = {"c": pair.certificate, "k": pair.key, "ca": authority.root, "crl": authority.revocations()}
    for name, data in content.items():
        (tmp_path / name).write_text(data)
    names = [
        f"file-cert://{tmp_path}/c~{tmp_path}/k",
        f"file-root://{tmp_path}/ca",
        f"file-root://{tmp_path}/ca~{tmp_path}/crl",
    ]
    accepts({ResourceType.SDS: [secret(name) for name in names]})
