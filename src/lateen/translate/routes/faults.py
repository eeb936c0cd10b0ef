"""HTTPFaultInjection to the per-route configuration of Envoy's fault filter."""

from __future__ import annotations

from typing import Any

from envoy.extensions.filters.http.fault.v3 import fault_pb2

from lateen.api.networking.http_names import GRPC_STATUS
from lateen.api.networking.virtual_service import Abort, Delay, HTTPFaultInjection
from lateen.translate.routes.durations import set_duration
from lateen.translate.routes.percent import set_percent, set_whole_percent

FAULT_FILTER = "envoy.filters.http.fault"


def http_fault(fault: HTTPFaultInjection) -> Any | None:
    """What `typed_per_filter_config` has for the filter `envoy.filters.http.fault`; None when nothing is injected."""
    out = fault_pb2.HTTPFault()
    if fault.delay is not None and fault.delay.fixed_delay is not None:
        _set_delay(out.delay, fault.delay)
    if fault.abort is not None and (fault.abort.http_status is not None or fault.abort.grpc_status is not None):
        _set_abort(out.abort, fault.abort)
    return out if out.HasField("delay") or out.HasField("abort") else None


def _set_delay(out: Any, delay: Delay) -> None:
    set_duration(out.fixed_delay, delay.fixed_delay)
    if delay.percentage is not None:
        set_percent(out.percentage, delay.percentage.value)
    else:
        set_whole_percent(out.percentage, delay.percent)


def _set_abort(out: Any, abort: Abort) -> None:
    if abort.http_status is not None:
        out.http_status = abort.http_status
    else:
        out.grpc_status = GRPC_STATUS[abort.grpc_status or "OK"]
    if abort.percentage is not None:
        set_percent(out.percentage, abort.percentage.value)
