"""What built-in kinds have in common beyond `Kind`: their name rule, and whether they count generations."""

from __future__ import annotations

from typing import ClassVar

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.objects import Obj, metadata


class BuiltinKind(Kind):
    """A kind whose objects have no generation unless it says so (as ConfigMaps and Services have none)."""

    counts_generations: ClassVar[bool] = False

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        if self.has_status:
            # A Go struct is never left out of JSON, nor are its required numbers: clients rely on finding them.
            status = self.schema.properties.get("status", Schema())
            obj["status"] = {name: 0 for name in status.required if status.properties[name].type == "integer"}
        if not self.counts_generations:
            metadata(obj).pop("generation", None)

    def prepare_update(self, obj: Obj, old: Obj, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        if not self.counts_generations:
            metadata(obj).pop("generation", None)


class DnsLabelKind(BuiltinKind):
    """A kind whose objects' names become host names."""

    def validate_name(self, name: str) -> list[str]:
        return names.dns_label(name)
