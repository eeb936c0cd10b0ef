"""The CustomResourceDefinitions of all the mesh's own kinds."""

from __future__ import annotations

from typing import Any

import msgspec

from lateen.api.kinds import MESH_KINDS
from lateen.api.schema.crd import definition
from lateen.api.schema.documentation import Documentation


def crds() -> list[dict[str, Any]]:
    """All definitions, ready to be applied. Reads the source of the types, for their documentation."""
    documentation = Documentation()
    made = [definition(kind, documentation) for kind in MESH_KINDS]
    # A copy in which no two places share an object, which YAML would print as an alias.
    copied: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(made))
    return copied
