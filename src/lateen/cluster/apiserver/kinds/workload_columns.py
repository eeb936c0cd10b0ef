"""Cells that several workloads print alike."""

from __future__ import annotations

from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.fields import mapping, objects, text
from lateen.cluster.apiserver.kinds.label_selectors import format_label_selector
from lateen.cluster.objects import Obj

TEMPLATE_COLUMNS = (
    Column("Containers", priority=1),
    Column("Images", priority=1),
    Column("Selector", priority=1),
)


def container_cells(template: Obj) -> list[str]:
    """The names and the images of a template's containers."""
    containers = objects(mapping(template, "spec"), "containers")
    return [
        ",".join(text(container, "name") for container in containers),
        ",".join(text(container, "image") for container in containers),
    ]


def template_cells(spec: Obj) -> list[str]:
    """The cells for `TEMPLATE_COLUMNS`."""
    selector = spec.get("selector")
    return [*container_cells(mapping(spec, "template")), format_label_selector(selector)]
