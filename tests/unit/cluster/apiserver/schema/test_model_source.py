"""Reading API types out of source text."""

from __future__ import annotations

from pathlib import Path

from lateen.cluster.apiserver.schema.model_source import parse_module, read_models

SOURCE = '''
from x import y

Time = datetime


@dataclass
class Boat(DictMixin):
    r"""Boat floats,
      mostly.

      **parameters**

      * **name** ``str`` - What it is
        called.
      * **except_** ``Optional[List[str]]`` -
      * **port** ``Optional[Port]`` - Where it lies.
    """
    name: 'str'
    except_: 'Optional[List[str]]' = field(metadata={"json": "except"}, default=None)
    port: 'Optional[Port]' = None
'''


def test_fields_with_their_json_names_annotations_and_documentation() -> None:
    boat = parse_module(SOURCE)["Boat"]
    assert boat.description == "Boat floats, mostly."
    assert [(f.name, f.annotation, f.required, f.description) for f in boat.fields] == [
        ("name", "str", True, "What it is called."),
        ("except", "List[str]", False, ""),
        ("port", "Port", False, "Where it lies."),
    ]


def test_the_cache_gives_what_parsing_gave(tmp_path: Path) -> None:
    cache = tmp_path / "models"
    parsed = read_models(("policy_v1",), cache)
    assert cache.exists()
    assert read_models(("policy_v1",), cache) == parsed
    # Another choice of modules is another cache.
    assert set(read_models(("meta_v1",), cache)) == {"meta_v1"}


def test_a_broken_cache_is_replaced(tmp_path: Path) -> None:
    cache = tmp_path / "models"
    cache.write_bytes(b"nonsense")
    assert "Eviction" in read_models(("policy_v1",), cache)["policy_v1"]
    assert cache.read_bytes() != b"nonsense"


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    assert read_models(("policy_v1",), tmp_path / "missing" / "models")
