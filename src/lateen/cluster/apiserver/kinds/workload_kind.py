"""What workloads with a pod template have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from lateen.cluster.apiserver.kinds.builtin_kind import BuiltinKind
from lateen.cluster.apiserver.kinds.core.pod_warnings import pod_warnings
from lateen.cluster.apiserver.kinds.fields import mapping
from lateen.cluster.apiserver.kinds.number_validation import validate_not_negative
from lateen.cluster.apiserver.request import Context
from lateen.cluster.objects import Obj
from lateen.cluster.status import Cause


class WorkloadKind(BuiltinKind, ABC):
    """A kind whose `spec.template` makes pods. `validate` holds the rules for new and changed objects."""

    counts_generations = True

    @abstractmethod
    def validate(self, obj: Obj) -> list[Cause]:
        """The faults of a new or changed object."""

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        return self.validate(obj)

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return [*self.validate(obj), *self.validate_change(mapping(obj, "spec"), mapping(old, "spec"))]

    def validate_change(self, spec: Obj, old: Obj) -> list[Cause]:
        """What may not change in the spec."""
        return []

    def validate_status_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        status = mapping(obj, "status")
        return validate_not_negative(status, "status", *(f for f, v in status.items() if isinstance(v, int)))

    def warnings(self, obj: Obj) -> Sequence[str]:
        return pod_warnings(mapping(mapping(mapping(obj, "spec"), "template"), "spec"), "spec.template.spec")
