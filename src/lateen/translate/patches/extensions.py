"""Extension configurations (ECDS): what EnvoyFilters add for filters that ask for their configuration by name."""

from __future__ import annotations

from lateen.api.networking.envoy_filter import ApplyTo, Operation
from lateen.engine import Reader, query
from lateen.model.proxy import EnvoyView
from lateen.translate.patches.apply import added_resource, context_of, is_home
from lateen.translate.patches.patch import outlined
from lateen.translate.resource import Recipe


@query
def extensions(db: Reader, view: EnvoyView) -> tuple[Recipe, ...]:
    """The extension configurations of a view, by name; a later patch of the same name takes the earlier one's place."""
    found: dict[str, Recipe] = {}
    context = context_of(view)
    for each in outlined(db, view.patches, context):
        adds = each.apply_to is ApplyTo.EXTENSION_CONFIG and each.operation in (Operation.ADD, Operation.REPLACE)
        if adds and each.name and is_home(each, context):
            found[each.name] = Recipe(each.name, added_resource, (each.name, each.ref))
    return tuple(found[name] for name in sorted(found))
