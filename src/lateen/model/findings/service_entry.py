"""Findings on ServiceEntries: what of them others keep from having effect."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.networking.service_entry import Resolution
from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, warning
from lateen.engine import Reader, query
from lateen.model.auto_addresses import auto_addresses, gets_address
from lateen.model.findings.domains import service_entry_domain_findings
from lateen.model.findings.listeners import service_entry_listener_findings
from lateen.model.findings.workload_labels import selects_nothing
from lateen.model.inputs import SERVICE_ENTRIES
from lateen.model.mesh import discovered
from lateen.model.service import ServiceKey
from lateen.model.service_entries import Entry, entries_of
from lateen.model.services import service, services_of_host
from lateen.model.visibility import candidate, winner


@query
def service_entry_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """Clashes with other services of the same host, and selectors that select nothing."""
    entry = SERVICE_ENTRIES.get(db, key)
    if entry is None:
        return ()
    if not discovered(db, key.namespace):
        return (warning("", f"has no effect: discoverySelectors leave out namespace {key.namespace!r}"),)
    return (
        *(
            fault
            for index, host in enumerate(entry.spec.hosts)
            for fault in _host(db, entry, f"spec.hosts[{index}]", host)
        ),
        *_selector(db, entry),
        *service_entry_listener_findings(db, key),
        *service_entry_domain_findings(db, key),
    )


def _host(db: Reader, entry: Entry, path: str, host: str) -> Iterator[Fault]:
    own = ServiceKey(host, entry.key.namespace)
    found = service(db, own)
    if found is None:
        return
    if found.is_kubernetes:
        yield warning(
            path, f"is a Kubernetes Service of this namespace ({host}), of which only subjectAltNames are changed"
        )
        return
    claims = tuple(one for key in services_of_host(db, host) if (one := candidate(db, key)) is not None)
    kubernetes = next((one for one in claims if not one.declared), None)
    if kubernetes is not None:
        yield warning(
            path, f"means the Kubernetes Service of namespace {kubernetes.key.namespace!r} wherever that is seen"
        )
    elif (elsewhere := winner(claims, "")) is not None and elsewhere != own:
        yield warning(path, f"means the older ServiceEntry of namespace {elsewhere.namespace!r} in other namespaces")
    yield from _parts(db, entry, path, own)
    if gets_address(entry, host) and not auto_addresses(db, own):
        yield warning(path, "gets no automatic address: all are given away")


def _parts(db: Reader, entry: Entry, path: str, own: ServiceKey) -> Iterator[Fault]:
    """Older ServiceEntries of the namespace for the same host."""
    for older in entries_of(db, own):
        if older.key == entry.key:
            return
        name = older.metadata.name
        if older.spec.resolution is not entry.spec.resolution:
            yield warning(
                path, f"is resolved by {older.spec.resolution.value}, as the older ServiceEntry {name!r} says"
            )
        for port in sorted({port.number for port in older.spec.ports} & {port.number for port in entry.spec.ports}):
            yield warning(path, f"has port {port} from the older ServiceEntry {name!r} already; endpoints are joined")


def _selector(db: Reader, entry: Entry) -> Iterator[Fault]:
    selector = entry.spec.workload_selector
    if selector is None or entry.spec.resolution is Resolution.DYNAMIC_DNS:
        return
    if selects_nothing(db, entry.key.namespace, tuple(sorted(selector.labels.items()))):
        yield warning("spec.workloadSelector", "selects no workload of this namespace")
