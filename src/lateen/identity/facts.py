"""What a certificate's Subject tells of a workload, so that telemetry knows who calls without asking anybody.

Facts come from the pod that a caller has proven to be, never from what it asks for.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from cryptography import x509

from lateen.api.kubernetes.pod import Pod
from lateen.model.workload_names import canonical_name, canonical_revision, workload_name

_UNITS: Final = (("app", "app"), ("ver", "version"), ("cluster", "cluster"), ("cs", "service"), ("cr", "revision"))
"""Each an organizational unit `NAME=VALUE`: its name, and the field of WorkloadFacts."""
_LONGEST: Final = 64
"""Characters of an attribute (RFC 5280, upper bounds)."""
_SAFE: Final = re.compile(r"[A-Za-z0-9._:/@-]+")
"""Readers cut the printed Subject at commas and equals signs: a value with others could pass for several facts."""


class WorkloadFacts(msgspec.Struct, frozen=True):
    """Empty: not known."""

    workload: str = ""
    """Of the Deployment or the like: `CN`."""
    namespace: str = ""
    """`O`."""
    app: str = ""
    """The label `app`: `OU=app=...`."""
    version: str = ""
    """The label `version`: `OU=ver=...`."""
    cluster: str = ""
    """Where it runs: `OU=cluster=...`."""
    service: str = ""
    """Its canonical service: `OU=cs=...`."""
    revision: str = ""
    """Of its canonical service: `OU=cr=...`."""


def facts_of(pod: Pod, cluster: str) -> WorkloadFacts:
    """Of a workload that is a pod."""
    labels, workload = pod.metadata.labels, workload_name(pod)
    return WorkloadFacts(
        workload=workload,
        namespace=pod.metadata.namespace,
        app=labels.get("app", ""),
        version=labels.get("version", ""),
        cluster=cluster,
        service=canonical_name(labels, workload),
        revision=canonical_revision(labels),
    )


def subject(facts: WorkloadFacts) -> x509.Name:
    """Facts as a Subject. What is too long is cut; what could be misread is left out."""
    found = [(x509.NameOID.COMMON_NAME, facts.workload), (x509.NameOID.ORGANIZATION_NAME, facts.namespace)]
    for name, fact in _UNITS:
        value = getattr(facts, fact)
        found.append((x509.NameOID.ORGANIZATIONAL_UNIT_NAME, f"{name}={value}" if _SAFE.fullmatch(value) else ""))
    return x509.Name(
        [
            x509.NameAttribute(oid, value[:_LONGEST])
            for oid, value in found
            if value and (oid is x509.NameOID.ORGANIZATIONAL_UNIT_NAME or _SAFE.fullmatch(value))
        ]
    )


def facts_in(name: x509.Name) -> WorkloadFacts:
    """The facts that a Subject tells, as `subject` writes them."""
    units = dict(_texts(name, x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "="))
    return WorkloadFacts(
        workload=next((text for text, _ in _texts(name, x509.NameOID.COMMON_NAME)), ""),
        namespace=next((text for text, _ in _texts(name, x509.NameOID.ORGANIZATION_NAME)), ""),
        **{fact: units.get(short, "") for short, fact in _UNITS},
    )


def _texts(name: x509.Name, oid: x509.ObjectIdentifier, separator: str = "\0") -> list[tuple[str, str]]:
    """Attributes of one type, each cut in two at the first separator."""
    values = (attribute.value for attribute in name.get_attributes_for_oid(oid))
    parts = (value.partition(separator) for value in values if isinstance(value, str))
    return [(head, tail) for head, _, tail in parts]
