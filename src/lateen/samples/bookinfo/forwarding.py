"""Which headers of a request go along with the requests made for it.

A proxy cannot know which outgoing request belongs to which incoming one: the application has to pass the trace on.
Source: the trace contexts of W3C, Zipkin (B3), OpenCensus, Datadog, Lightstep, SkyWalking and Google Cloud.
"""

from __future__ import annotations

from collections.abc import Mapping

TRACE = (
    "x-request-id",
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "grpc-trace-bin",
    "x-cloud-trace-context",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-ot-span-context",
    "sw8",
)
USER = ("end-user", "user-agent", "cookie", "authorization", "jwt")
"""Who asks: routing and authorization of the services behind may depend on it."""


def forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers to pass on; `headers` is looked up in lower case, whatever case the mapping ignores."""
    return {name: headers[name] for name in (*TRACE, *USER) if name in headers}
