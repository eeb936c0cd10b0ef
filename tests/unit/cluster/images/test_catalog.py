from __future__ import annotations

from pathlib import Path

import pytest

from lateen.cluster.images.catalog import Catalog, Image, UnknownImageError, load_image
from lateen.cluster.images.reference import ReferenceError, matches, parse_reference
from lateen.cluster.layout import Layout


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("a/b:1", "docker.io/a/b:1"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("ghcr.io/a/b@sha256:" + "0" * 64, "ghcr.io/a/b@sha256:" + "0" * 64),
    ],
)
def test_references_are_completed(text: str, full: str) -> None:
    assert str(parse_reference(text)) == full


@pytest.mark.parametrize("text", ["", "UPPER", "a:b:c", "a b", "x@nothing"])
def test_bad_references(text: str) -> None:
    with pytest.raises(ReferenceError):
        parse_reference(text)


def test_patterns() -> None:
    nginx = parse_reference("nginx:1.25")
    assert matches("nginx", nginx)
    assert matches("docker.io/library/nginx:1.*", nginx)
    assert matches("*/nginx", nginx)
    assert not matches("nginx:1.24", nginx)
    assert not matches("quay.io/nginx", nginx)


def test_command_and_args_as_containers_have_them() -> None:
    image = Image(("x",), entrypoint=("e",), command=("c",))
    assert image.argv([], []) == ["e", "c"]
    assert image.argv([], ["a"]) == ["e", "a"]
    assert image.argv(["k"], []) == ["k"]
    assert image.argv(["k"], ["a"]) == ["k", "a"]


def test_own_entries_come_first_and_faults_are_told(tmp_path: Path) -> None:
    layout = Layout("x", 0, tmp_path)
    catalog = Catalog(layout)
    with pytest.raises(UnknownImageError) as missing:
        catalog.find("mine:1")
    assert missing.value.reason == "ErrImagePull"
    assert "lateen cluster load-image --name x mine:1 -- PROGRAM" in str(missing.value)
    load_image(layout, "mine:1", ["/bin/app", "--x"], env={"A": "b"}, working_directory="/srv")
    assert catalog.find("mine:1")[1].argv([], []) == ["/bin/app", "--x"]
    load_image(layout, "nginx", ["/bin/own"])
    assert catalog.find("nginx")[1].argv([], []) == ["/bin/own"]
    (layout.images / "bad.yaml").write_text("images:\n- image: [z]\n  nonsense: 1\n")
    assert catalog.find("mine:1")
    with pytest.raises(UnknownImageError, match=r"bad\.yaml: images\[0\]: unknown field 'nonsense'"):
        catalog.find("z")
