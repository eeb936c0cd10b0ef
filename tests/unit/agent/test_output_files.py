from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lateen.agent.output_files import write_certificate, write_roots


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_key_and_chain_are_there_under_istios_names(tmp_path):
    write_certificate(str(tmp_path), "key", "chain", 0o600)
    write_roots(str(tmp_path), "roots")
    found = {name: (tmp_path / name).read_text() for name in ("key.pem", "cert-chain.pem", "root-cert.pem")}
    assert found == {"key.pem": "key", "cert-chain.pem": "chain", "root-cert.pem": "roots"}
    assert [_mode(tmp_path / name) for name in found] == [0o600, 0o644, 0o644]


def test_both_change_in_one_step_and_nothing_else_is_left(tmp_path):
    write_certificate(str(tmp_path), "first", "first", 0o644)
    (first,) = tmp_path.glob("..[0-9]*")
    links = [(tmp_path / name).lstat().st_ino for name in ("key.pem", "cert-chain.pem")]
    write_certificate(str(tmp_path), "second", "second", 0o644)
    (second,) = tmp_path.glob("..[0-9]*")
    assert second != first
    assert (tmp_path / "..data").readlink() == Path(second.name)
    assert [(tmp_path / name).lstat().st_ino for name in ("key.pem", "cert-chain.pem")] == links, "stay where they are"
    assert (tmp_path / "key.pem").read_text() == (tmp_path / "cert-chain.pem").read_text() == "second"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["..data", second.name, "cert-chain.pem", "key.pem"]
    )


def test_files_of_an_earlier_agent_are_replaced(tmp_path):
    for name in ("key.pem", "cert-chain.pem"):
        (tmp_path / name).write_text("old")
    write_certificate(str(tmp_path), "new", "new", 0o644)
    assert (tmp_path / "key.pem").read_text() == (tmp_path / "cert-chain.pem").read_text() == "new"


def test_what_an_agent_that_was_killed_has_left_is_gone_after_the_next_certificate(tmp_path):
    (tmp_path / "..1").mkdir()
    (tmp_path / "..1/key.pem").write_text("never used")
    write_certificate(str(tmp_path), "new", "new", 0o600)
    assert not (tmp_path / "..1").exists()


@pytest.mark.parametrize("target", ["..", "../elsewhere", "elsewhere"])
def test_what_is_not_ours_is_not_removed(tmp_path, target):
    directory = tmp_path / "output"
    directory.mkdir()
    for other in (tmp_path / "elsewhere", directory / "elsewhere"):
        other.mkdir()
    (directory / "..data").symlink_to(target)
    write_certificate(str(directory), "new", "new", 0o644)
    assert (directory / "key.pem").read_text() == "new"
    assert (tmp_path / "elsewhere").is_dir()
    assert (directory / "elsewhere").is_dir()
