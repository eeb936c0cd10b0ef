"""Names derived from what a template says: the `pod-template-hash` and the hashes of controller revisions."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from lateen.cluster.safe_alphabet import spelled


def canonical(value: Any) -> Any:
    """A template without what a client that decodes it adds or drops: nulls and empty members.

    An empty selector is kept: it selects everything, and none selects nothing.
    """
    if isinstance(value, dict):
        found = {k: canonical(v) for k, v in value.items() if v is not None}
        return {k: v for k, v in found.items() if v not in ({}, []) or k.endswith("Selector")}
    if isinstance(value, list):
        return [canonical(v) for v in value]
    return value


def template_hash(value: Any, collisions: int = 0) -> str:
    """At most ten letters that stand for a JSON value; `collisions` gives another name to the same value.

    They look as Kubernetes' do: the decimal digits of 32 bits, by apimachinery's `rand.SafeEncodeString`.
    """
    digest = hashlib.sha256(msgspec.json.encode(value, order="deterministic") + collisions.to_bytes(4, "big")).digest()
    number = int.from_bytes(digest[:4], "big")
    return spelled(str(number))
