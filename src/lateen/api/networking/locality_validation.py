"""What locality load balancing settings must keep to, of a DestinationRule or of the mesh."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lateen.api.networking.destination_rule import Distribute, Failover, LocalityLoadBalancerSetting
from lateen.api.schema.fault import Fault, error, warning

_TOPOLOGY = (
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
)
_ALL = 100
_LEVELS = 3


def locality_faults(
    path: str, setting: LocalityLoadBalancerSetting | None, *, detects_outliers: bool
) -> Iterator[Fault]:
    """What is wrong with a locality setting. Without outlier detection nothing fails over, which is warned of."""
    if setting is None:
        return
    if setting.distribute and setting.failover:
        yield error(f"{path}.failover", "excludes distribute")
        return
    if setting.distribute and setting.failover_priority:
        yield error(f"{path}.failoverPriority", "excludes distribute")
        return
    if setting.failover:
        for index, label in enumerate(setting.failover_priority):
            if label in _TOPOLOGY:
                yield error(f"{path}.failoverPriority[{index}]", f"{label} cannot be set together with failover")
    yield from _distribute(f"{path}.distribute", setting.distribute)
    yield from _failover(f"{path}.failover", setting.failover)
    if (setting.failover or setting.failover_priority) and not detects_outliers:
        yield warning(path, "has no effect without outlierDetection: nothing tells that there is a need to fail over")


def _distribute(path: str, rules: tuple[Distribute, ...]) -> Iterator[Fault]:
    for index, rule in enumerate(rules):
        at = f"{path}[{index}].to"
        if any(weight == 0 for weight in rule.to.values()):
            yield error(at, "weights must be 1 to 100")
        elif sum(rule.to.values()) != _ALL:
            yield error(at, f"weights must add up to 100, not {sum(rule.to.values())}")
        yield from _localities(at, rule.to)
    yield from _localities(path, (rule.from_ for rule in rules))


def _failover(path: str, rules: tuple[Failover, ...]) -> Iterator[Fault]:
    for index, rule in enumerate(rules):
        at = f"{path}[{index}]"
        if rule.from_ == rule.to:
            yield error(f"{at}.to", f"must be another region than from, {rule.to!r}")
        for name, region in (("from", rule.from_), ("to", rule.to)):
            if "/" in region or "*" in region:
                yield error(f"{at}.{name}", f"must be a region without zones and wildcards, not {region!r}")


def _localities(path: str, localities: Iterable[str]) -> Iterator[Fault]:
    """Each is `region/zone/subzone`, shorter, or with a wildcard at the end; no two may overlap."""
    earlier: list[tuple[str, ...]] = []
    for locality in localities:
        parts = tuple(locality.split("/", _LEVELS - 1))
        if not all(parts):
            yield error(path, f"locality {locality!r} has an empty part")
            continue
        if "*" in locality.removesuffix("*"):
            yield error(path, f"locality {locality!r} may have one wildcard, at the end")
            continue
        covered = parts[:-1] if parts[-1] == "*" else parts
        for other in earlier:
            shorter = min(len(covered), len(other))
            if covered[:shorter] == other[:shorter]:
                yield error(path, f"locality {locality!r} overlaps with {'/'.join(other) or '*'}")
                break
        earlier.append(covered)
