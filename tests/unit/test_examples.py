from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def examples() -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []

    @given(st.text(), st.integers())
    def law(text: str, number: int) -> None:
        found.append((text, number))

    law()
    return found


@pytest.mark.skipif(not settings().derandomize, reason="with LATEEN_FUZZ, examples are others each time")
def test_examples_depend_on_nothing_but_their_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other modules are loaded than before, as after other tests or in another worker."""
    before = examples()
    path = tmp_path / "loaded_since.py"
    path.write_text("\n".join(f"V{n} = {n}, 'text{n}'" for n in range(1_000, 1_060)))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    assert examples() == before
