"""The proxy that a workload would have, by what is known of the workload: for answers without a connected proxy."""

from __future__ import annotations

from lateen.api.kubernetes.pod import Pod
from lateen.api.networking.gateway import Gateway
from lateen.api.objects import Key
from lateen.api.schema.bounded_yaml import load_object
from lateen.api.schema.fault import Fault
from lateen.engine import Reader, query
from lateen.model.endpoint import Locality
from lateen.model.inputs import CLUSTER_ID, DOMAIN, GATEWAYS, PODS, WORKLOAD_ENTRIES
from lateen.model.localities import labelled_locality, node_locality, parse_locality
from lateen.model.own_proxies import PLAIN, WITH_AGENT, templates
from lateen.model.proxy import Certificates, Generator, Interception, Labels, Proxy, ProxySettings, Role, Traits
from lateen.model.proxy_settings import settings_of

INTERCEPTION_ANNOTATION = "sidecar.istio.io/interceptionMode"
PROXY_CONFIG_ANNOTATION = "proxy.istio.io/config"


@query
def expected_proxies(db: Reader, namespace: str, name: str) -> tuple[Proxy, ...]:
    """The proxies of the workload, pod or WorkloadEntry of this name, sorted by id: one for each of its pods."""
    pods = [key for key in PODS.where(db, "namespace", namespace) if not key.cluster]
    exact = [key for key in pods if key.name == name]
    found = [_of_pod(db, key) for key in exact or (key for key in pods if _is_pod_of(db, key, name))]
    entry = _of_entry(db, Key(namespace, name))
    return tuple(proxy for proxy in (*found, entry) if proxy is not None)


def _is_pod_of(db: Reader, key: Key, workload: str) -> bool:
    pod = PODS.get(db, key)
    if pod is None:
        return False
    # A Deployment's pods are owned by its ReplicaSet, whose name ends with a hash.
    return any(workload in (owner.name, owner.name.rpartition("-")[0]) for owner in pod.metadata.owner_references)


def _of_pod(db: Reader, key: Key) -> Proxy | None:
    pod = PODS.get(db, key)
    if pod is None:
        return None
    labels = pod.metadata.labels
    locality = labelled_locality(labels)
    if locality is None:
        locality = node_locality(db, Key("", pod.spec.node_name)) if pod.spec.node_name else Locality()
    mode = pod.metadata.annotations.get(INTERCEPTION_ANNOTATION, "")
    asked = templates(pod.metadata.annotations)
    addresses = pod.addresses
    return Proxy(
        id=f"{key.name}.{key.namespace}",
        role=_role(db, key.namespace, tuple(sorted(labels.items()))),
        namespace=key.namespace,
        labels=tuple(sorted(labels.items())),
        service_account=pod.service_account,
        addresses=addresses,
        locality=locality,
        cluster_id=CLUSTER_ID.get(db),
        node=pod.spec.node_name,
        dns_domain=f"{key.namespace}.svc.{DOMAIN.get(db)}",
        traits=Traits(
            ipv4=not addresses or any(":" not in address for address in addresses),
            ipv6=any(":" in address for address in addresses),
            interception=Interception(mode) if mode in Interception.__members__ else Interception.REDIRECT,
            certificates=None if PLAIN in asked else Certificates(),
            settings=_settings(pod),
        ),
        generator=Generator.ENVOY if asked.isdisjoint((WITH_AGENT, PLAIN)) else Generator.GRPC,
    )


def _settings(pod: Pod) -> ProxySettings:
    config = load_object(pod.metadata.annotations.get(PROXY_CONFIG_ANNOTATION, ""))
    return settings_of(config)[0] if not isinstance(config, Fault) else ProxySettings()


def _of_entry(db: Reader, key: Key) -> Proxy | None:
    entry = WORKLOAD_ENTRIES.get(db, key)
    if entry is None:
        return None
    return Proxy(
        id=f"{key.name}.{key.namespace}",
        role=Role.SIDECAR,
        namespace=key.namespace,
        labels=tuple(sorted({**entry.metadata.labels, **entry.spec.labels}.items())),
        service_account=entry.spec.service_account or "default",
        addresses=(entry.spec.address,) if entry.spec.address else (),
        locality=parse_locality(entry.spec.locality),
        network=entry.spec.network,
        cluster_id=CLUSTER_ID.get(db),
        dns_domain=f"{key.namespace}.svc.{DOMAIN.get(db)}",
    )


def _role(db: Reader, namespace: str, labels: Labels) -> Role:
    """A workload that some Gateway selects by a label is a gateway."""
    carried = set(labels)
    found = (GATEWAYS.get(db, key) for key in GATEWAYS.keys(db))
    selects = any(gateway is not None and _selects(gateway.spec, carried) for gateway in found)
    return Role.ROUTER if selects else Role.SIDECAR


def _selects(gateway: Gateway, labels: set[tuple[str, str]]) -> bool:
    return bool(gateway.selector) and labels.issuperset(gateway.selector.items())
