"""`successPolicy`: when an Indexed Job has succeeded before all its indexes have.

Source: k8s.io/kubernetes `pkg/controller/job/success_policy.go`.
"""

from __future__ import annotations

from collections.abc import Set

from lateen.cluster.controllers.job.indexes import expand
from lateen.cluster.controllers.job.spec import completions_of
from lateen.cluster.objects import Obj


def matched_rule(job: Obj, completed: Set[int]) -> int | None:
    """The first rule that the completed indexes satisfy."""
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        indexes, count = rule.get("succeededIndexes"), rule.get("succeededCount")
        if indexes is None:
            if count is not None and len(completed) >= int(count):
                return number
            continue
        wanted = expand(str(indexes), completions_of(job) or 0)
        if len(wanted & completed) >= (len(wanted) if count is None else int(count)):
            return number
    return None
