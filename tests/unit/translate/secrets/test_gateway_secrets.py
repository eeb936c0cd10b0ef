"""Which secrets a gateway gets, and which it does not."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from lateen.api.kubernetes.secret import Secret
from lateen.api.networking.gateway import Gateway
from lateen.api.objects import Key, Metadata, Object, ObjectRef
from lateen.api.schema.decode import Decoder
from lateen.engine import Engine
from lateen.model.endpoint import Locality
from lateen.model.fault import ConfigError
from lateen.model.inputs import GATEWAYS, SECRETS
from lateen.model.proxy import GatewayView, Traits
from lateen.testing.envoy import accepts, decoded
from lateen.translate.resource import Resource, ResourceType
from lateen.translate.secrets.gateway import listing

SDS = ResourceType.SDS
LABELS = (("app", "edge"),)
PRIVATE = ec.generate_private_key(ec.SECP256R1())
KEY = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, PRIVATE.public_key(), 1, begin, begin.replace(year=2090))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(PRIVATE, hashes.SHA256()).public_bytes(Encoding.PEM)


CERT = _certificate()
BOTH = {"tls.crt": CERT, "tls.key": KEY, "ca.crt": CERT}


def view(namespace: str = "edge", cluster_id: str = "") -> GatewayView:
    return GatewayView(namespace, LABELS, "default", Locality(), "", cluster_id, "", Traits())


class World:
    def __init__(self) -> None:
        self.engine = Engine()

    def gateway(self, *tls: dict[str, Any], namespace: str = "edge") -> None:
        servers = [
            {"port": {"number": 443 + index, "name": f"tls-{index}", "protocol": "HTTPS"}, "hosts": ["*"], "tls": each}
            for index, each in enumerate(tls)
        ]
        spec, faults = Decoder(Gateway).decode({"selector": dict(LABELS), "servers": servers})
        assert spec is not None, faults
        key = Key(namespace, "gw")
        with self.engine.change() as tx:
            tx.set(GATEWAYS, key, Object(Metadata(name="gw", namespace=namespace), spec, key))

    def secret(self, name: str, data: dict[str, bytes], namespace: str = "edge", cluster: str = "") -> None:
        with self.engine.change() as tx:
            metadata = Metadata(name=name, namespace=namespace)
            tx.set(SECRETS, Key(namespace, name, cluster), Secret(metadata=metadata, data=data))

    def resources(self, of: GatewayView) -> dict[str, Resource]:
        return {each.name: self.engine.get(each.query, *each.args) for each in self.engine.get(listing, of)}


def test_a_gateway_gets_what_its_servers_name() -> None:
    world = World()
    world.gateway(
        {"mode": "SIMPLE", "credentialName": "simple"},
        {"mode": "MUTUAL", "credentialName": "mutual"},
        {"mode": "OPTIONAL_MUTUAL", "credentialName": "apart"},
        {"mode": "ISTIO_MUTUAL"},
        {"mode": "PASSTHROUGH"},
    )
    world.secret("simple", BOTH)
    world.secret("mutual", BOTH)
    world.secret("apart", {"cert": CERT, "key": KEY})
    world.secret("apart-cacert", {"cacert": CERT})
    world.secret("unnamed", BOTH)
    found = world.resources(view())
    assert {name: decoded(SDS, each).WhichOneof("type") for name, each in found.items()} == {
        "kubernetes://apart": "tls_certificate",
        "kubernetes://apart-cacert": "validation_context",
        "kubernetes://mutual": "tls_certificate",
        "kubernetes://mutual-cacert": "validation_context",
        "kubernetes://simple": "tls_certificate",
    }
    simple = decoded(SDS, found["kubernetes://simple"])
    assert simple.name == "kubernetes://simple"
    assert simple.tls_certificate.certificate_chain.inline_bytes == CERT
    assert simple.tls_certificate.private_key.inline_bytes == KEY
    assert decoded(SDS, found["kubernetes://mutual-cacert"]).validation_context.trusted_ca.inline_bytes == CERT
    accepts({SDS: found.values()})


def test_a_gateway_that_is_not_selected_gets_nothing() -> None:
    world = World()
    world.gateway({"mode": "SIMPLE", "credentialName": "simple"})
    world.secret("simple", BOTH)
    other = GatewayView("edge", (("app", "other"),), "default", Locality(), "", "", "", Traits())
    assert world.resources(other) == {}


def test_the_secret_is_that_of_the_proxys_namespace_whatever_the_gateways_is() -> None:
    world = World()
    world.gateway({"mode": "SIMPLE", "credentialName": "simple"}, namespace="config")
    world.secret("simple", BOTH, namespace="config")
    with pytest.raises(ConfigError) as caught:
        world.resources(view("edge"))
    assert caught.value.resource == ObjectRef("Secret", Key("edge", "simple"))


@pytest.mark.parametrize("name", ["kubernetes://other/simple", "kubernetes-gateway://other/simple"])
def test_secrets_of_other_namespaces_are_refused(name: str) -> None:
    world = World()
    world.gateway({"mode": "SIMPLE", "credentialName": "fine"}, {"mode": "SIMPLE", "credentialName": name})
    world.secret("simple", BOTH, namespace="other")
    recipe = next(each for each in world.engine.get(listing, view()) if each.name == name)
    with pytest.raises(ConfigError, match="in namespace edge may not use Secrets of namespace other") as caught:
        world.engine.get(recipe.query, *recipe.args)
    assert caught.value.resource == ObjectRef("Gateway", Key("edge", "gw"))
    assert caught.value.path == "spec.servers[1].tls"


def test_names_of_other_schemes_are_not_listed() -> None:
    world = World()
    world.gateway({"mode": "SIMPLE", "credentialName": "sds://provider"})
    assert world.resources(view()) == {}


def test_a_gateway_in_another_cluster_has_the_secrets_of_its_own() -> None:
    world = World()
    world.gateway({"mode": "SIMPLE", "credentialName": "simple"})
    world.secret("simple", BOTH, cluster="far")
    assert world.resources(view(cluster_id="far")).keys() == {"kubernetes://simple"}
    with pytest.raises(ConfigError):
        world.resources(view(cluster_id="Kubernetes"))


def test_a_changed_secret_changes_its_resource_and_no_listing() -> None:
    world = World()
    world.gateway({"mode": "SIMPLE", "credentialName": "simple"})
    world.secret("simple", BOTH)
    before = world.engine.get(listing, view())
    old = world.resources(view())
    world.secret("simple", {"tls.crt": CERT + CERT, "tls.key": KEY})
    assert world.engine.get(listing, view()) is before
    assert world.resources(view()) != old


def test_one_bad_secret_does_not_keep_the_others() -> None:
    world = World()
    world.gateway({"mode": "SIMPLE", "credentialName": "bad"}, {"mode": "SIMPLE", "credentialName": "good"})
    world.secret("bad", {"tls.crt": b"junk", "tls.key": b"junk"})
    world.secret("good", BOTH)
    bad, good = world.engine.get(listing, view())
    with pytest.raises(ConfigError, match="expected certificates as PEM"):
        world.engine.get(bad.query, *bad.args)
    assert world.engine.get(good.query, *good.args).name == "kubernetes://good"


def test_a_gateway_that_may_have_no_secrets_gets_none_but_files() -> None:
    world = World()
    world.gateway(
        {"mode": "SIMPLE", "credentialName": "simple"},
        {"mode": "SIMPLE", "credentialName": "kubernetes://other/simple"},
        {"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k"},
    )
    world.secret("simple", BOTH)
    assert "kubernetes://simple" in {each.name for each in world.engine.get(listing, view())}
    denied = msgspec.structs.replace(view(), secrets=False)
    assert set(world.resources(denied)) == {"file-cert:///c~/k"}
