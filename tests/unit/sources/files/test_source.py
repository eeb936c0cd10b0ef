from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lateen.api.objects import Key
from lateen.sources.files.source import FileSource
from lateen.sources.source import KindName
from lateen.testing.recording_sink import RecordingSink

SERVICE, POD, NAMESPACE = KindName("", "Service"), KindName("", "Pod"), KindName("", "Namespace")
ROUTES = KindName("networking.istio.io", "VirtualService")


def service(name: str, port: int = 80) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[RecordingSink]:
    """What is told of the directory `tmp_path / "config"`, which is there from the start, empty."""
    (tmp_path / "config").mkdir()
    found = RecordingSink()
    source = FileSource([tmp_path / "config"], [SERVICE, POD, NAMESPACE, ROUTES], interval=0.03)
    task = asyncio.create_task(source.run(found))
    await found.until(lambda: len(found.synced_kinds) == 4)
    yield found
    task.cancel()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "config"


async def test_files_come_change_and_go(sink: RecordingSink, directory: Path) -> None:
    file = directory / "services.yaml"
    file.write_text(service("a") + "---\n" + service("b"))
    await sink.until(lambda: sink.names("Service") == {"a", "b"})
    assert sink.names("Namespace") == {"default"}
    assert sink.origins[SERVICE, Key("default", "b")] == f"{file}:6"
    file.write_text(service("b") + "---\n" + service("c"))
    await sink.until(lambda: sink.names("Service") == {"b", "c"})
    file.unlink()
    await sink.until(lambda: not sink.objects)


async def test_a_change_of_several_objects_is_one_batch_with_nothing_else_in_it(
    sink: RecordingSink, directory: Path
) -> None:
    file = directory / "services.yaml"
    file.write_text("---\n".join(service(name) for name in "abc"))
    await sink.until(lambda: sink.names("Service") == {"a", "b", "c"})
    count = len(sink.batches)
    file.write_text("---\n".join((service("a", 81), service("b"), service("d"))))
    await sink.until(lambda: sink.names("Service") == {"a", "b", "d"})
    assert len(sink.batches) == count + 1
    assert [(change.key.name, change.raw is None) for change in sink.batches[-1]] == [
        ("c", True),
        ("a", False),
        ("d", False),
    ]


async def test_an_editor_that_renames_into_place(sink: RecordingSink, directory: Path) -> None:
    file = directory / "services.yaml"
    file.write_text(service("a"))
    await sink.until(lambda: sink.names("Service") == {"a"})
    (directory / ".services.yaml.swp").write_text(service("b"))
    os.rename(directory / ".services.yaml.swp", file)
    await sink.until(lambda: sink.names("Service") == {"b"})


async def test_a_broken_file_keeps_its_last_good_objects_and_is_reported_with_its_line(
    sink: RecordingSink, directory: Path
) -> None:
    file, other = directory / "services.yaml", directory / "other.yaml"
    file.write_text(service("a"))
    await sink.until(lambda: sink.names("Service") == {"a"})
    file.write_text(service("a", 81) + "spec: [\n")
    other.write_text(service("b"))
    await sink.until(lambda: bool(sink.problems) and "b" in sink.names("Service"))
    assert sink.problems[str(file)].startswith("line 6: ")
    assert sink.names("Service") == {"a", "b"}
    ports = sink.objects[SERVICE, Key("default", "a")]["spec"]["ports"]
    assert ports[0]["port"] == 80
    file.write_text(service("c"))
    await sink.until(lambda: sink.names("Service") == {"b", "c"})
    assert not sink.problems


async def test_a_broken_file_that_goes_takes_its_objects_along(sink: RecordingSink, directory: Path) -> None:
    file = directory / "services.yaml"
    file.write_text(service("a"))
    await sink.until(lambda: sink.names("Service") == {"a"})
    file.write_text("[")
    await sink.until(lambda: bool(sink.problems))
    file.unlink()
    await sink.until(lambda: not sink.objects and not sink.problems)


async def test_duplicates_are_reported_and_the_first_counts(sink: RecordingSink, directory: Path) -> None:
    first, second = directory / "a.yaml", directory / "b.yaml"
    first.write_text(service("a", 80))
    second.write_text(service("x") + "---\n" + service("a", 81).replace("name: a", "name: a, namespace: default"))
    await sink.until(lambda: bool(sink.problems) and sink.names("Service") == {"a", "x"})
    assert sink.problems == {str(second): f"line 6: Service default/a is also in {first}:1, which counts"}
    assert sink.objects[SERVICE, Key("default", "a")]["spec"]["ports"][0]["port"] == 80
    first.unlink()
    await sink.until(lambda: not sink.problems)
    assert sink.objects[SERVICE, Key("default", "a")]["spec"]["ports"][0]["port"] == 81


async def test_documents_that_are_no_objects_and_kinds_of_the_mesh_that_are_not(
    sink: RecordingSink, directory: Path
) -> None:
    file = directory / "a.yaml"
    mistyped = "apiVersion: networking.istio.io/v1\nkind: VirtualServices\nmetadata: {name: a}\n"
    other = "apiVersion: example.com/v1\nkind: Anything\nmetadata: {name: a}\n"
    file.write_text("---\n".join(("words\n", mistyped, other, service("a"))))
    await sink.until(lambda: sink.names("Service") == {"a"} and bool(sink.problems))
    assert sink.problems == {
        str(file): "line 1: expected an object, found str; "
        "line 3: kind VirtualServices.networking.istio.io is not known, and ignored"
    }


async def test_a_directory_that_vanishes_keeps_what_was_in_it(sink: RecordingSink, directory: Path) -> None:
    (directory / "a.yaml").write_text(service("a"))
    await sink.until(lambda: sink.names("Service") == {"a"})
    moved = directory.with_name("elsewhere")
    directory.rename(moved)
    await sink.until(lambda: bool(sink.problems))
    assert sink.problems == {str(directory): "No such file or directory"}
    assert sink.names("Service") == {"a"}
    (moved / "a.yaml").write_text(service("b"))
    moved.rename(directory)
    await sink.until(lambda: sink.names("Service") == {"b"} and not sink.problems)


async def test_a_single_file_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "manifest").write_text(service("a"))
    found = RecordingSink()
    task = asyncio.create_task(FileSource([tmp_path / "manifest"], [SERVICE]).run(found))
    await found.until(lambda: bool(found.synced_kinds))
    assert found.names("Service") == {"a"}
    task.cancel()


async def test_an_object_that_is_too_large_is_refused_by_name_and_spoils_no_other(
    sink: RecordingSink, directory: Path
) -> None:
    file = directory / "a.yaml"
    large = "apiVersion: v1\nkind: Service\nmetadata: {name: large, annotations: {a: %s}}\n" % ("x" * 11_000_000)
    file.write_text(large + "---\n" + service("small"))
    await sink.until(lambda: sink.names("Service") == {"small", "large"} and bool(sink.problems))
    assert sink.problems[str(file)].startswith("line 1: the object has 110")
    assert sink.refused["large"].startswith("the object has 110")
    file.write_text(service("large") + "---\n" + service("small"))
    await sink.until(lambda: not sink.refused and not sink.problems)


async def test_what_was_never_seen_is_not_taken_for_empty(tmp_path: Path) -> None:
    """A directory that is not there yet: nothing is complete before it is."""
    found, directory = RecordingSink(), tmp_path / "config"
    source = FileSource([directory], [SERVICE, POD, NAMESPACE, ROUTES], interval=0.03)
    task = asyncio.create_task(source.run(found))
    await found.until(lambda: bool(found.problems))
    assert str(directory) in found.problems
    assert not found.synced_kinds
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "a.yaml").write_text(service("a"))
    fresh.rename(directory)
    await found.until(lambda: bool(found.synced_kinds))
    assert found.names("Service") == {"a"}
    await found.until(lambda: not found.problems)
    task.cancel()
