"""Ages as kubectl prints them (`k8s.io/apimachinery/pkg/util/duration.HumanDuration`)."""

from __future__ import annotations

import datetime as dt

from lateen.cluster.objects import Obj, metadata, parse_timestamp


def human_duration(seconds: float) -> str:
    """`45s`, `3m12s`, `47m`, `5h9m`, `23h`, `3d4h`, `90d`, `2y45d`, `9y`."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 120:
        return f"{whole}s"
    minutes, hours, days, years = whole // 60, whole // 3600, whole // 86400, whole // (86400 * 365)
    if minutes < 10:
        rest = whole % 60
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        rest = minutes % 60
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        rest = hours % 24
        return f"{days}d{rest}h" if rest else f"{days}d"
    if days < 365 * 2:
        return f"{days}d"
    if years < 8:
        rest = days % 365
        return f"{years}y{rest}d" if rest else f"{years}y"
    return f"{years}y"


def age_of(obj: Obj, now: dt.datetime) -> str:
    """The object's age by its creationTimestamp, or `<unknown>`."""
    created = metadata(obj).get("creationTimestamp")
    return human_duration((now - parse_timestamp(created)).total_seconds()) if created else "<unknown>"
