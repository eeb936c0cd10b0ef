from __future__ import annotations

import os
from pathlib import Path

from lateen.sources.files.scan import Scan, Settled, Settling, Signature, scan

A, B = Path("a.yaml"), Path("d/b.yaml")


def signature(number: int) -> Signature:
    return Signature(1, number, 1, 1, 1)


def look(settling: Settling, files: dict[Path, int], failures: tuple[Path, ...] = ()) -> Settled:
    signed = {path: signature(number) for path, number in files.items()}
    return settling.look(Scan(signed, dict.fromkeys(failures, "why")))


def test_the_first_scan_counts_at_once() -> None:
    settling = Settling()
    assert look(settling, {B: 1, A: 1}) == Settled((A, B), ())
    assert not look(settling, {B: 1, A: 1})


def test_a_change_counts_when_it_has_kept_still() -> None:
    settling = Settling()
    look(settling, {A: 1})
    assert not look(settling, {A: 2})
    assert not look(settling, {A: 3})
    assert look(settling, {A: 3}) == Settled((A,), ())
    assert not look(settling, {A: 3})


def test_a_file_that_is_back_at_once_was_never_gone() -> None:
    settling = Settling()
    look(settling, {A: 1})
    assert not look(settling, {})
    assert not look(settling, {A: 2})
    assert look(settling, {A: 2}) == Settled((A,), ())


def test_gone_and_new() -> None:
    settling = Settling()
    look(settling, {A: 1})
    assert not look(settling, {B: 1})
    assert look(settling, {B: 1}) == Settled((B,), (A,))
    assert not look(settling, {B: 1})


def test_what_cannot_be_read_has_not_changed() -> None:
    settling = Settling()
    look(settling, {A: 1, B: 1})
    for _ in range(3):
        assert not look(settling, {A: 1}, failures=(B.parent,))
    assert not look(settling, {A: 1})
    assert look(settling, {A: 1}) == Settled((), (B,))


def test_which_files_are_manifests(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml", "c.json", "d.txt", ".e.yaml", "f.yaml~", "sub/g.yaml", ".git/h.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    os.mkfifo(tmp_path / "pipe.yaml")
    found = scan([tmp_path, tmp_path / "d.txt", tmp_path / "absent"])
    assert sorted(str(path.relative_to(tmp_path)) for path in found.files) == [
        "a.yaml",
        "b.yml",
        "c.json",
        "d.txt",
        "sub/g.yaml",
    ]
    assert found.failures == {
        tmp_path / "pipe.yaml": "not a regular file",
        tmp_path / "absent": "No such file or directory",
    }


def test_a_mounted_config_map_changes_with_its_link(tmp_path: Path) -> None:
    """The kubelet swaps `..data`; the files themselves are links through it."""
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.yaml").write_text(version)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    before = scan([tmp_path])
    (tmp_path / "..new").symlink_to("..2")
    os.rename(tmp_path / "..new", tmp_path / "..data")
    after = scan([tmp_path])
    assert list(before.files) == list(after.files) == [tmp_path / "a.yaml"]
    assert before.files != after.files
