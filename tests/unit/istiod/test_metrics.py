from __future__ import annotations

from datetime import UTC, datetime

from lateen.istiod.metrics import by_label, counter, exposition, gauge, process_metrics


def test_prometheus_text() -> None:
    text = exposition(
        [
            counter("a_total", "All a.", 3),
            gauge("b", "One b.", 0.5, place='say "hi"\n\\'),
            by_label("c", "Some c.", "gauge", "kind", {"y": 2, "x": 1}),
            by_label("d", "None.", "gauge", "kind", {}),
        ]
    )
    assert text == (
        "# HELP a_total All a.\n# TYPE a_total counter\na_total 3\n"
        '# HELP b One b.\n# TYPE b gauge\nb{place="say \\"hi\\"\\n\\\\"} 0.5\n'
        '# HELP c Some c.\n# TYPE c gauge\nc{kind="x"} 1\nc{kind="y"} 2\n'
    )


def test_of_the_process() -> None:
    found = {metric.name: next(iter(metric.values))[1] for metric in process_metrics(datetime(2026, 1, 1, tzinfo=UTC))}
    assert found["process_resident_memory_bytes"] > 1_000_000
    assert found["process_open_fds"] > 2
    assert found["process_start_time_seconds"] == 1767225600
