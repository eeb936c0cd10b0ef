from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from lateen.identity.current import CurrentAuthority
from lateen.identity.plugged import Loaded
from lateen.identity.rotation import RootState, RotationTerms, advance, begin
from lateen.identity.self_signed import RootTerms, self_signed
from lateen.istiod.configuration import Certificates
from lateen.istiod.front.secrets import TlsMaterial
from lateen.istiod.tls_material import LIFE, TlsKeeper, read_files, serving_names
from lateen.testing.certificates import Authority

NOW = datetime.now(UTC)
NAME = "istiod.istio-system.svc"


class World:
    def __init__(self) -> None:
        self.now = NOW
        self.current = CurrentAuthority()
        self.told: list[TlsMaterial] = []

    def keeper(self, files: Certificates | None = None) -> TlsKeeper:
        made = TlsKeeper(current=self.current, files=files, names=(NAME,), now=lambda: self.now)
        made.tell(self.told.append)
        return made

    def offer(self, state: RootState) -> RootState:
        self.current.offer(Loaded(state.authority), "test")
        return state


@pytest.fixture
def world() -> World:
    return World()


def files(directory: Path, **replaced: str) -> Certificates:
    authority = Authority()
    pair = authority.issue("istiod")
    contents = {"certificate": pair.certificate, "key": pair.key, "roots": authority.root} | replaced
    for name, content in contents.items():
        (directory / name).write_text(content)
    return Certificates(directory / "certificate", directory / "key", directory / "roots")


def test_nothing_is_served_before_there_is_an_authority(world: World) -> None:
    keeper = world.keeper()
    keeper.look()
    assert keeper.material is None
    world.offer(RootState(self_signed(NOW)))
    keeper.look()
    (found,) = world.told
    names = x509.load_pem_x509_certificate(found.chain.encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == [NAME]
    assert found.roots == world.current.authority.bundle


def test_a_certificate_is_replaced_in_half_of_its_life(world: World) -> None:
    world.offer(RootState(self_signed(NOW)))
    keeper = world.keeper()
    for hours in (0, 11):
        world.now = NOW + timedelta(hours=hours)
        keeper.look()
        assert len(world.told) == 1
    world.now = NOW + LIFE / 2 + timedelta(minutes=5)
    keeper.look()
    assert len(world.told) == 2
    assert world.told[0].roots == world.told[1].roots


def test_an_authority_near_its_end_is_not_asked_all_the_time(world: World) -> None:
    world.offer(RootState(self_signed(NOW, RootTerms(lifetime=timedelta(hours=4)))))
    keeper = world.keeper()
    for minutes in (0, 30, 60, 119):
        world.now = NOW + timedelta(minutes=minutes)
        keeper.look()
        assert len(world.told) == 1
    world.now = NOW + timedelta(minutes=121)
    keeper.look()
    assert len(world.told) == 2


def test_a_rotation_of_the_root_step_by_step(world: World) -> None:
    terms = RotationTerms()
    keeper = world.keeper()
    state = world.offer(RootState(self_signed(NOW)))
    keeper.look()
    state = world.offer(begin(state, self_signed(NOW), NOW))
    keeper.look()
    announced = world.told[-1]
    # The same certificate, and clients of either root.
    assert (announced.chain, announced.roots.count("BEGIN")) == (world.told[0].chain, 2)
    assert state.since is not None
    world.offer(advance(state, state.since + terms.step, terms))
    keeper.look()
    assert world.told[-1].chain != announced.chain
    assert len(world.told) == 3


def test_files_are_followed_and_bad_ones_change_nothing(world: World, tmp_path: Path) -> None:
    given = files(tmp_path)
    state = world.offer(RootState(self_signed(NOW)))
    keeper = world.keeper(given)
    keeper.look()
    (first,) = world.told
    # Clients are verified by the mesh's roots, too.
    assert first.roots.count("BEGIN") == 2
    (tmp_path / "key").write_text("no key")
    keeper.look()
    assert keeper.material == first
    files(tmp_path)
    keeper.look()
    assert len(world.told) == 2
    world.offer(begin(state, self_signed(NOW), NOW))
    keeper.look()
    assert world.told[-1].roots.count("BEGIN") == 3


def test_files_are_not_served_while_clients_could_not_be_verified(world: World, tmp_path: Path) -> None:
    keeper = world.keeper(files(tmp_path))
    keeper.look()
    assert keeper.material is None
    world.offer(RootState(self_signed(NOW)))
    keeper.look()
    (found,) = world.told
    world.current.withdraw("nobody knows")
    keeper.look()
    assert keeper.material == found


def test_files_alone_are_served(tmp_path: Path) -> None:
    keeper = TlsKeeper(current=None, files=files(tmp_path), names=(NAME,))
    keeper.look()
    assert keeper.material is not None
    assert keeper.material.roots.count("BEGIN") == 1


async def test_whoever_asks_later_is_told_at_once(world: World) -> None:
    world.offer(RootState(self_signed(NOW)))
    keeper = world.keeper()
    keeper.look()
    late: list[TlsMaterial] = []
    keeper.tell(late.append)
    assert late == world.told == [await keeper.known()]


@pytest.mark.parametrize(
    ("name", "content"),
    [("certificate", "no PEM"), ("key", "no PEM"), ("key", Authority().issue("another").key), ("roots", "no PEM")],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(OSError, match=str(tmp_path / name)):
        read_files(files(tmp_path, **{name: content}))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = files(tmp_path)
    found.key.unlink()
    with pytest.raises(OSError, match="key"):
        read_files(found)


def test_names() -> None:
    plain = serving_names("istio-system", "default", "cluster.local", ())
    assert {"istiod.istio-system.svc", "istio-pilot.istio-system.svc", "istiod.istio-system.svc.cluster.local"} < set(
        plain
    )
    revised = serving_names("mesh", "canary", "example.org", ("custom.example.com",))
    assert {"istiod-canary.mesh.svc", "istiod-canary.mesh.svc.example.org", "istiod.mesh.svc"} < set(revised)
    assert revised[0] == "custom.example.com"
