from __future__ import annotations

import pytest

from lateen.sources.files.field_lines import FieldLines

TEXT = b"""\
# A comment.
kind: A
metadata:
  labels: {app.io/name: x}
spec:
  hosts:
  - a
  - b
  http:
  - name: first
    timeout: 5s
---
apiVersion: v1
kind: List
items:
- kind: B
  spec: &shared
    size: 1
- kind: C
  spec: *shared
"""


@pytest.mark.parametrize(
    ("start", "path", "line"),
    [
        (2, "", 2),
        (2, "spec", 5),
        (2, "spec.hosts", 6),
        (2, "spec.hosts[1]", 8),
        (2, "spec.http[0]", 10),
        (2, "spec.http[0].timeout", 11),
        (2, "metadata.labels[app.io/name]", 4),
        (2, "spec.missing", 5),
        (2, "spec.http[0].missing.deeper", 10),
        (2, "spec.hosts[5]", 6),
        (2, "kind.nothing", 2),
        (16, "spec.size", 18),
        (19, "kind", 19),
        (7, "spec", 7),
    ],
)
def test_fields_are_found(start: int, path: str, line: int) -> None:
    assert FieldLines(TEXT).line(start, path) == line


def test_fields_in_snake_case_have_lines() -> None:
    lines = FieldLines(b"spec:\n  a: 1\n  mirror_percent: 5\n  x_y: 1\n")
    assert [lines.line(1, path) for path in ("spec.mirrorPercent", "spec.x_y", "spec.xY", "spec.other")] == [3, 4, 4, 1]


def test_json_has_lines_too() -> None:
    assert FieldLines(b'{\n "kind": "A",\n "spec": {\n  "a": 1}}').line(1, "spec.a") == 4


def test_what_is_no_yaml_has_the_line_of_its_object() -> None:
    assert FieldLines(b"{}{}\n\t{").line(1, "spec") == 1
