"""Secrets (SDS) of a sidecar's inbound side: the files of TLS that its Sidecar resource has it terminate."""

from __future__ import annotations

from lateen.engine import Reader, query
from lateen.model.gateways import authorities_resource, certificate_resources
from lateen.model.inbound_ports import inbound_plan
from lateen.model.proxy import InboundView
from lateen.translate.resource import Recipe
from lateen.translate.secrets import files


@query
def listing(db: Reader, view: InboundView) -> tuple[Recipe, ...]:
    """Every secret of a workload's own ports."""
    names: set[str] = set()
    for port in inbound_plan(db, view).ports:
        if port.tls is not None:
            names.update((*certificate_resources(port.tls), authorities_resource(port.tls)))
    return tuple(files.recipe(name) for name in sorted(names) if files.is_file(name))
