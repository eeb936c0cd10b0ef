"""Who may answer for a service.

Clusters depend on this and not on endpoints: as long as the same accounts run a service, its endpoints may come and go.
"""

from __future__ import annotations

from lateen.engine import Reader, query
from lateen.model import mesh
from lateen.model.endpoints import endpoints, identities
from lateen.model.identity import with_aliases
from lateen.model.service import ServiceKey
from lateen.model.services import service


@query
def server_names(db: Reader, key: ServiceKey) -> tuple[str, ...]:
    """SPIFFE IDs and names of which a server's certificate must hold one, sorted; empty when nothing is known of it.

    An identity of the mesh counts under each alias of its trust domain.
    """
    found = service(db, key)
    names = set(found.subject_alt_names if found is not None else ())
    domain, aliases = mesh.trust_domain(db), mesh.trust_domain_aliases(db)
    for identity in identities(db, key):
        names.update(with_aliases(identity, domain, aliases))
    return tuple(sorted(names))


@query
def all_take_mutual_tls(db: Reader, key: ServiceKey, port: int) -> bool:
    """Whether a port has endpoints, and every one of them takes the mesh's TLS."""
    listed = endpoints(db, key, port)
    return bool(listed) and all(endpoint.mutual_tls for endpoint in listed)
