from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lateen.api.schema.fault import Severity
from lateen.identity.cacerts import PluggedDirectory, present
from lateen.identity.current import CurrentAuthority
from lateen.testing.authorities import SigningPair, signing_pair

ONE, TWO = signing_pair("one"), signing_pair("two")


def write(place: Path, pair: SigningPair) -> None:
    place.mkdir(exist_ok=True)
    (place / "ca-cert.pem").write_bytes(pair.pem)
    (place / "ca-key.pem").write_bytes(pair.key_pem)
    (place / "root-cert.pem").write_bytes(pair.pem)


class Watched:
    def __init__(self, place: Path) -> None:
        self.changes = 0
        self.current = CurrentAuthority(self._changed)
        self.directory = PluggedDirectory(place, self.current, interval=0.005)

    def _changed(self) -> None:
        self.changes += 1

    @property
    def signer(self) -> str:
        return "" if self.current.authority is None else self.current.authority.certificate.subject.rfc4514_string()


def test_whether_there_is_one(tmp_path: Path) -> None:
    assert not present(tmp_path)
    assert not present(tmp_path / "nowhere")
    write(tmp_path, ONE)
    assert present(tmp_path)


def test_what_is_there_is_taken_once(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    watched = Watched(tmp_path)
    for _ in range(3):
        watched.directory.look()
    assert (watched.signer, watched.changes) == ("CN=one", 1)


def test_a_change_half_made_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    watched = Watched(tmp_path)
    watched.directory.look()
    (tmp_path / "ca-cert.pem").write_bytes(TWO.pem)
    watched.directory.look()
    assert watched.signer == "CN=one"
    assert any(fault.severity is Severity.ERROR for fault in watched.current.faults)
    write(tmp_path, TWO)
    watched.directory.look()
    assert (watched.signer, watched.changes, watched.current.faults) == ("CN=two", 2, ())


def test_files_that_vanish_change_nothing(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    watched = Watched(tmp_path)
    watched.directory.look()
    for path in tmp_path.iterdir():
        path.unlink()
    watched.directory.look()
    assert watched.signer == "CN=one"
    assert watched.current.faults


def test_the_same_again_after_a_fault_is_looked_at_again(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    watched = Watched(tmp_path)
    watched.directory.look()
    key = (tmp_path / "ca-key.pem").read_bytes()
    (tmp_path / "ca-key.pem").unlink()
    (tmp_path / "ca-key.pem").mkdir()
    watched.directory.look()
    assert [fault.path for fault in watched.current.faults] == [""]
    (tmp_path / "ca-key.pem").rmdir()
    (tmp_path / "ca-key.pem").write_bytes(key)
    watched.directory.look()
    assert watched.current.faults == ()


async def test_a_mounted_secret_changes_by_a_link(tmp_path: Path) -> None:
    write(tmp_path / "v1", ONE)
    write(tmp_path / "v2", TWO)
    (tmp_path / "..data").symlink_to("v1")
    mount = tmp_path / "mount"
    mount.mkdir()
    for name in ("ca-cert.pem", "ca-key.pem", "root-cert.pem"):
        (mount / name).symlink_to(tmp_path / "..data" / name)
    changed = asyncio.Event()
    current = CurrentAuthority(changed.set)
    task = asyncio.create_task(PluggedDirectory(mount, current, interval=0.005).run())
    try:
        await asyncio.wait_for(current.known(), 60)
        changed.clear()
        (tmp_path / "new").symlink_to("v2")
        (tmp_path / "new").rename(tmp_path / "..data")
        await asyncio.wait_for(changed.wait(), 60)
    finally:
        task.cancel()
    assert current.authority is not None
    assert current.authority.roots == (TWO.certificate,)


def test_what_is_not_valid_yet_is_taken_in_time(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    write(tmp_path, signing_pair("early", begin=now + timedelta(hours=1)))
    current = CurrentAuthority()
    moment = [now]
    directory = PluggedDirectory(tmp_path, current, now=lambda: moment[0])
    directory.look()
    assert current.authority is None
    moment[0] += timedelta(hours=2)
    directory.look()
    assert current.authority is not None


def test_the_passing_of_time_is_no_change_of_files(tmp_path: Path) -> None:
    """An authority that has expired stays: signing refuses by itself, with the time of then."""
    now = datetime.now(UTC)
    write(tmp_path, signing_pair("brief", end=now + timedelta(days=1)))
    current = CurrentAuthority()
    moment = [now]
    directory = PluggedDirectory(tmp_path, current, now=lambda: moment[0])
    directory.look()
    moment[0] += timedelta(days=2)
    directory.look()
    assert current.authority is not None
