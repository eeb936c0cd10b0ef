"""What a DestinationRule must keep to beyond its types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lateen.api.networking.destination_rule import DestinationRule, Subset
from lateen.api.networking.export_to import PRIVATE, export_faults
from lateen.api.networking.traffic_policy_validation import traffic_policy_faults
from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.schema.hostnames import is_dns_label, wrong_fqdn, wrong_wildcard_host
from lateen.api.type.selector_validation import validate_selector

_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_NAME_LENGTH = 63


def validate(obj: Object[DestinationRule]) -> Iterator[Fault]:
    """Faults of a DestinationRule."""
    spec = obj.spec
    if wrong := wrong_wildcard_host(spec.host):
        yield error("spec.host", wrong)
    if spec.traffic_policy is not None:
        yield from traffic_policy_faults("spec.trafficPolicy", spec.traffic_policy)
    first: dict[str, int] = {}
    for index, subset in enumerate(spec.subsets):
        path = f"spec.subsets[{index}]"
        yield from _subset(path, subset)
        if first.setdefault(subset.name, index) != index:
            yield error(f"{path}.name", f"must be unique: spec.subsets[{first[subset.name]}] is {subset.name!r} too")
    if spec.export_to:
        yield from export_faults("spec.exportTo", obj.metadata.namespace, spec.export_to)
    if spec.workload_selector is not None:
        yield from validate_selector(spec.workload_selector, "spec.workloadSelector")
    if spec.workload_selector is not None and spec.export_to:
        own = (PRIVATE, obj.metadata.namespace)
        for index, namespace in enumerate(spec.export_to):
            if namespace not in own:
                yield error(f"spec.exportTo[{index}]", "must be '.': a selector is about the rule's own namespace")


def _subset(path: str, subset: Subset) -> Iterator[Fault]:
    if not is_dns_label(subset.name):
        yield error(f"{path}.name", f"must be a DNS label (letters, digits, hyphens), not {subset.name!r}")
    yield from _labels(f"{path}.labels", subset.labels)
    if subset.traffic_policy is not None:
        yield from traffic_policy_faults(f"{path}.trafficPolicy", subset.traffic_policy)
    if subset.traffic_policy is not None and not subset.labels and subset.traffic_policy.tls is None:
        yield warning(path, "has no labels: it is of all endpoints")


def _labels(path: str, labels: Mapping[str, str]) -> Iterator[Fault]:
    for name, value in labels.items():
        prefix, slash, last = name.rpartition("/")
        if not _is_name(last) or (slash and wrong_fqdn(prefix)):
            yield error(f"{path}[{name}]", "is not the name of a label")
        if value and not _is_name(value):
            yield error(f"{path}[{name}]", f"is not the value of a label: {value!r}")


def _is_name(text: str) -> bool:
    return len(text) <= _NAME_LENGTH and _NAME.fullmatch(text) is not None
