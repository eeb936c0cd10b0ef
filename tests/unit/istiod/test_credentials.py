from __future__ import annotations

from pathlib import Path

import pytest

from lateen.istiod.configuration import Certificates
from lateen.istiod.credentials import credentials
from lateen.testing.certificates import Authority
from lateen.xds.authentication import MutualTls, NoAuthentication


def files(directory: Path, **replaced: str) -> Certificates:
    authority = Authority()
    pair = authority.issue("istiod")
    contents = {"certificate": pair.certificate, "key": pair.key, "roots": authority.root} | replaced
    for name, content in contents.items():
        (directory / name).write_text(content)
    return Certificates(directory / "certificate", directory / "key", directory / "roots")


def test_roots_make_clients_prove_who_they_are(tmp_path: Path) -> None:
    found = files(tmp_path)
    assert isinstance(credentials(found)[1], MutualTls)
    assert isinstance(credentials(Certificates(found.certificate, found.key, None))[1], NoAuthentication)


@pytest.mark.parametrize(
    ("name", "content"),
    [("certificate", "no PEM"), ("key", "no PEM"), ("key", Authority().issue("another").key), ("roots", "no PEM")],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(OSError, match=str(tmp_path / name)):
        credentials(files(tmp_path, **{name: content}))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = files(tmp_path)
    found.key.unlink()
    with pytest.raises(OSError, match="key"):
        credentials(found)
