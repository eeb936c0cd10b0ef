from __future__ import annotations

import json
from typing import Any

import pytest

from lateen.sources.files.manifests import Manifest, ManifestError, Misfit, read_manifests

POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n"


def names(text: str) -> list[tuple[str, int]]:
    found = read_manifests(text)
    assert all(isinstance(each, Manifest) for each in found), found
    return [(each.raw["metadata"]["name"], each.line) for each in found if isinstance(each, Manifest)]


def value_of(scalar: str) -> Any:
    (found,) = read_manifests(POD.format(name="a") + f"value: {scalar}\n")
    assert isinstance(found, Manifest)
    return found.raw["value"]


def test_documents_have_their_lines() -> None:
    text = "# a comment\n" + POD.format(name="a") + "---\n" + POD.format(name="b") + "---\n---\n# nothing\n"
    assert names(text) == [("a", 2), ("b", 7)]


def test_lists_count_as_their_items() -> None:
    item = "- apiVersion: v1\n  kind: Pod\n  metadata: {{name: {}}}\n"
    assert names("apiVersion: v1\nkind: List\nitems:\n" + item.format("a") + item.format("b")) == [("a", 4), ("b", 7)]
    assert names("apiVersion: v1\nkind: PodList\nitems:\n" + item.format("a")) == [("a", 4)]


def test_json_documents_one_after_the_other() -> None:
    pod = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, indent="\t")
    assert names(pod) == [("a", 1)]
    assert names(f"{pod}\n{pod}") == [("a", 1), ("a", 8)]


def test_flow_style_yaml_is_not_json() -> None:
    assert names("{apiVersion: v1, kind: Pod, metadata: {name: a}}") == [("a", 1)]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01", "2026-01-01"),
        ("1:20", "1:20"),
        ("2001:2::1", "2001:2::1"),
        ("::1", "::1"),
        ("8080", 8080),
        ("-5", -5),
        ("0755", 0o755),
        ("0o17", 15),
        ("0x1F", 31),
        ("08", 8.0),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("10.0.0.1", "10.0.0.1"),
        ("1.2.3", "1.2.3"),
        ("yes", True),
        ("off", False),
        ("~", None),
        ("'80'", "80"),
        ("1.5s", "1.5s"),
        ("{80: a, true: b}", {"80": "a", "true": "b"}),
    ],
)
def test_scalars_are_read_as_kubernetes_reads_them(scalar: str, value: Any) -> None:
    assert value_of(scalar) == value
    assert type(value_of(scalar)) is type(value)


def test_merge_keys_and_aliases() -> None:
    text = POD.format(name="a") + "base: &base {x: 1, y: 2}\nmerged:\n  <<: *base\n  y: 3\n"
    (found,) = read_manifests(text)
    assert isinstance(found, Manifest)
    assert found.raw["merged"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("kind: Pod\nmetadata: [\n", 3, "expected"),
        ("a: 1\nb:\n\t- x\n", 3, "cannot start any token"),
        ("a: 1\nb: 2\na: 3\n", 3, "'a' occurs twice"),
        ("a: !!python/object:os.system x\n", 1, "could not determine a constructor"),
        ("a: &a [*a]\n", 1, ""),
        ("{[a]: b}\n", 1, "scalar"),
        ("a: 1\nb: \x00\n", 2, ""),
    ],
)
def test_text_that_is_not_yaml_names_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(ManifestError) as raised:
        read_manifests(text)
    assert raised.value.line == line
    assert words in raised.value.message


def test_bytes_that_are_not_text() -> None:
    with pytest.raises(ManifestError, match="line 2: not UTF-8"):
        read_manifests(b"a: b\nc: \xff\n")


def test_a_byte_order_mark_is_let_be() -> None:
    assert len(read_manifests("\ufeff".encode() + POD.format(name="a").encode())) == 1


def test_aliases_that_explode() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(ManifestError, match="aliases expand"):
        read_manifests("\n".join(lines))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("just words", "expected an object, found str"),
        ("- a", "expected an object, found list"),
        ("kind: Pod\nmetadata: {name: a}", "apiVersion is missing"),
        ("apiVersion: v1\nmetadata: {name: a}", "kind is missing"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a}", "metadata.name is missing"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: 5}", "metadata.name: expected a name, found 5"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: 5}",
            "metadata.namespace: expected a name, found 5",
        ),
    ],
)
def test_a_document_that_is_no_object_spoils_no_other(document: str, message: str) -> None:
    first, second = read_manifests(f"{document}\n---\n{POD.format(name='a')}")
    assert first == Misfit(1, message)
    assert isinstance(second, Manifest)
