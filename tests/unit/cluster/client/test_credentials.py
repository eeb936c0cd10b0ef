from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml

from lateen.cluster.client.credentials import CredentialsError, TokenFile, from_kubeconfig, in_cluster


def kubeconfig(path: Path, user: dict[str, object], **cluster: object) -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "ns"}}],
                "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:1/", **cluster}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return path


def test_token_and_namespace(tmp_path: Path) -> None:
    endpoint = from_kubeconfig(kubeconfig(tmp_path / "config", {"token": "t"}))
    assert endpoint.tokens is not None
    assert (endpoint.server, endpoint.namespace, endpoint.tokens.token()) == ("http://127.0.0.1:1", "ns", "t")


def test_token_file_is_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    endpoint = from_kubeconfig(kubeconfig(tmp_path / "config", {"tokenFile": "token"}))
    assert endpoint.tokens is not None
    assert endpoint.tokens.token() == "secret"


def test_token_file_survives_a_rotation_in_progress(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    source = TokenFile(path)
    assert source.token() == "one"
    path.unlink()
    source._read_at = float("-inf")
    assert source.token() == "one"


@pytest.mark.parametrize(
    "text", ["[", "[]", "{}", "current-context: x", "contexts: [{name: '', context: {cluster: z}}]"]
)
def test_a_broken_kubeconfig_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(CredentialsError):
        from_kubeconfig(tmp_path / "config")


def test_bad_certificate_data(tmp_path: Path) -> None:
    nonsense = base64.b64encode(b"nonsense").decode()
    path = kubeconfig(tmp_path / "config", {}, server="https://127.0.0.1:1", **{"certificate-authority-data": nonsense})
    with pytest.raises(CredentialsError, match="certificates"):
        from_kubeconfig(path)


def test_outside_of_a_pod() -> None:
    with pytest.raises(CredentialsError, match="not inside a pod"):
        in_cluster({})
