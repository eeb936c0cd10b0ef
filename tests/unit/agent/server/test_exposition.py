from collections.abc import AsyncIterator

import pytest

from lateen.agent.server.exposition import (
    OPEN_METRICS,
    TEXT,
    TooMuch,
    accepted,
    form_of,
    whole_lines,
    with_istio_names,
    without_end,
)


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def test_istios_metrics_lose_envoys_prefix_and_nothing_else_changes() -> None:
    text = (
        b"# TYPE envoy_istio_requests_total counter\n"
        b'envoy_istio_requests_total{app="envoy_istio_x",text="\\nenvoy_istio_"} 1\n'
        b"# HELP envoy_istio_build what\n"
        b"envoy_istio_build{} 1\n"
        b'envoy_cluster_upstream_rq{cluster="envoy_istio_y"} 2\n'
        b"# TYPE envoy_isti counter\n"
    )
    assert with_istio_names(text) == (
        b"# TYPE istio_requests_total counter\n"
        b'istio_requests_total{app="envoy_istio_x",text="\\nenvoy_istio_"} 1\n'
        b"# HELP istio_build what\n"
        b"istio_build{} 1\n"
        b'envoy_cluster_upstream_rq{cluster="envoy_istio_y"} 2\n'
        b"# TYPE envoy_isti counter\n"
    )


async def test_lines_stay_whole_however_they_arrive() -> None:
    text = b"# TYPE envoy_istio_a counter\nenvoy_istio_a 1\nlast 2"
    for size in range(1, len(text) + 1):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        found = [with_istio_names(lines) async for lines in whole_lines(_pieces(*pieces), 1000)]
        assert b"".join(found) == b"# TYPE istio_a counter\nistio_a 1\nlast 2\n"
        assert all(lines.endswith(b"\n") for lines in found)


async def test_too_much_is_refused() -> None:
    with pytest.raises(TooMuch):
        _ = [lines async for lines in whole_lines(_pieces(b"a\n" * 10, b"b\n" * 10), 30)]
    with pytest.raises(TooMuch):
        _ = [lines async for lines in whole_lines(_pieces(*[b"x" * 100_000] * 20), 10_000_000)]


def test_the_end_of_one_is_not_the_end_of_all() -> None:
    assert without_end(b"a 1\r\n\r\n\nb 2\n# EOF\n") == b"a 1\nb 2\n"
    assert without_end(b"# EOF\n") == b""


def test_only_text_is_asked_for() -> None:
    protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7"
    text = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    assert accepted(f"{protobuf}, {text}") == text


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("", TEXT),
        ("text/plain; version=0.0.4", TEXT),
        ("application/openmetrics-text", OPEN_METRICS.format("0.0.1")),
        ("application/OpenMetrics-Text; version=1.0.0; charset=utf-8", OPEN_METRICS.format("1.0.0")),
        ('application/openmetrics-text; charset=utf-8; version="0.0.1"', OPEN_METRICS.format("0.0.1")),
    ],
)
def test_the_form_is_that_of_the_application(content_type: str, form: str) -> None:
    assert form_of(content_type) == form
