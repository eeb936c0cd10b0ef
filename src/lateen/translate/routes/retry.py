"""HTTPRetry to Envoy's RetryPolicy."""

from __future__ import annotations

from typing import Any

from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.extensions.retry.priority.previous_priorities.v3 import previous_priorities_config_pb2

from lateen.api.networking.http_names import is_status
from lateen.api.networking.virtual_service import HTTPRetry
from lateen.translate.routes.durations import set_duration

_USUAL_CONDITIONS = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
_USUAL_ATTEMPTS = 2
_HOST_SELECTION_ATTEMPTS = 64
"""How often Envoy draws again when it has drawn a host that was tried. Of two hosts least requests draws the dead one,
which has none, three times of four; with Istio's 5 one request in thirty that had met it failed."""
_PRIORITY_UPDATE_FREQUENCY = 2
_BY_STATUS = "retriable-status-codes"


def retry_policy(retries: HTTPRetry | None, *, hashed: bool) -> Any | None:
    """A RetryPolicy; None when retries are disabled (attempts 0). Without a word on retries: the usual ones.

    `hashed` when the destination balances by consistent hashing: then a retry goes where the request belongs rather
    than to a host that was not tried.
    """
    if retries is not None and retries.attempts <= 0:
        return None
    policy = route_components_pb2.RetryPolicy(
        retry_on=_USUAL_CONDITIONS, host_selection_retry_max_attempts=_HOST_SELECTION_ATTEMPTS
    )
    policy.num_retries.value = retries.attempts if retries is not None else _USUAL_ATTEMPTS
    avoids_previous = None
    if retries is not None:
        avoids_previous = retries.retry_ignore_previous_hosts
        _set_conditions(policy, retries.retry_on)
        set_duration(policy.per_try_timeout, retries.per_try_timeout)
        if retries.retry_remote_localities:
            _prefer_other_priorities(policy)
        if retries.backoff is not None:
            set_duration(policy.retry_back_off.base_interval, retries.backoff)
    if avoids_previous or (avoids_previous is None and not hashed):
        predicate = policy.retry_host_predicate.add(name="envoy.retry_host_predicates.previous_hosts")
        predicate.typed_config.Pack(previous_hosts_pb2.PreviousHostsPredicate())
    return policy


def _set_conditions(policy: Any, retry_on: str) -> None:
    """Splits what Envoy takes apart: conditions, and status codes as numbers."""
    if not retry_on:
        return
    given = [part for each in retry_on.split(",") if (part := each.strip())]
    conditions = [part for part in given if not is_status(part)]
    codes = [int(part) for part in given if is_status(part)]
    if codes and _BY_STATUS not in conditions:
        conditions.append(_BY_STATUS)
    policy.retry_on = ",".join(conditions)
    policy.retriable_status_codes.extend(codes)


def _prefer_other_priorities(policy: Any) -> None:
    policy.retry_priority.name = "envoy.retry_priorities.previous_priorities"
    config = previous_priorities_config_pb2.PreviousPrioritiesConfig(update_frequency=_PRIORITY_UPDATE_FREQUENCY)
    policy.retry_priority.typed_config.Pack(config)
