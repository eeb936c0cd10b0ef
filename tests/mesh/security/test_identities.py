"""Nobody gets the certificate, the configuration or the name of another."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

from cryptography import x509

from lateen.testing.attack_scene import API_TOKEN, ISTIOD, TOKEN, TYPES, Scene
from lateen.testing.authorities import ec_key, key_pem, signing_request
from lateen.testing.certificates import Authority, tls_secret


def test_a_pod_gets_no_certificate_of_another_identity(scene: Scene) -> None:
    mesh, mine = scene.mesh, f"spiffe://cluster.local/ns/{scene.guarded}/sa/httpbin"
    stolen, own = scene.read("httpbin", TOKEN), scene.read("curl", TOKEN)
    csr = signing_request(ec_key(), uris=(mine, "spiffe://cluster.local/ns/istio-system/sa/istiod"), common_name="web")
    ask = scene.certificate
    foreign = mesh.token("curl", scene.outside, audiences=["vault"])
    gone = _token_of_a_deleted_pod(scene)
    header, payload, signature = own.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["sub"] = f"system:serviceaccount:{scene.guarded}:httpbin"
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    # Certificates are no secret: everybody whom httpbin talks to has it.
    shown = json.loads(mesh.command("proxy-config", "secret", f"deploy/httpbin.{scene.guarded}", "-o", "json"))
    (public,) = [each["secret"] for each in shown["dynamicActiveSecrets"] if each["name"] == "default"]
    chain = public["tlsCertificate"]["certificateChain"]
    pem = chain.get("inlineString") or base64.b64decode(chain["inlineBytes"]).decode()
    forged = {
        "x-forwarded-client-cert": f'Hash=00;Cert="{quote(pem, safe="")}";URI={mine}',
        "x-lateen-peer": f"{scene.address('httpbin')}:1",
    }
    cases = {
        "another's token": ask(csr=csr, token=stolen),
        "another's token, and a forged address": ask(csr=csr, token=stolen, headers=forged),
        "no credentials": ask(csr=csr),
        "a forged header of the front": ask(csr=csr, headers=forged),
        "a token for the API server": ask(csr=csr, token=scene.read("curl", API_TOKEN, "curl")),
        "a token for somebody else": ask(csr=csr, token=foreign),
        "a changed token": ask(csr=csr, token=f"{header}.{changed}.{signature}"),
        "an unsigned token": ask(csr=csr, token=f"{unsigned}.{changed}."),
        "the token of a pod that is gone": ask(csr=csr, token=gone),
        "nonsense": ask(csr=csr, token="x" * 40_000),
    }
    for where in (scene.guarded, scene.outside):
        for what, answer in zip(cases, scene.attempts(where, *cases.values()), strict=True):
            assert answer["status"] in (401, 403, 429, 431), (where, what, answer)
            assert "BEGIN" not in answer["body"], what
            assert answer["status"] != 429, (what, "nothing was looked at")
    # One's own token gives one's own identity, whatever is asked for.
    (answer,) = scene.attempts(scene.guarded, ask(csr=csr, token=own, headers=forged))
    assert answer["status"] == 200, answer
    issued = x509.load_pem_x509_certificate(json.loads(answer["body"])["chain"][0].encode())
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [each.value for each in names] == [f"spiffe://cluster.local/ns/{scene.guarded}/sa/curl"]
    # A certificate that the mesh has not issued ends the handshake.
    (answer,) = scene.attempts(scene.outside, ask(csr=csr, client=Authority("another mesh").issue(mine)))
    assert answer["status"] == 0, answer


def _token_of_a_deleted_pod(scene: Scene) -> str:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "gone", "labels": {"sidecar.istio.io/inject": "false"}},
        "spec": {
            "serviceAccountName": "httpbin",
            "nodeSelector": {"never": "scheduled"},
            "containers": [{"name": "app", "image": "none"}],
        },
    }
    scene.mesh.apply(json.dumps(pod), "-n", scene.guarded)
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "gone"}
    token = scene.mesh.token("httpbin", scene.guarded, audiences=["istio-ca"], boundObjectRef=bound)
    scene.mesh.kubectl("delete", "pod", "gone", "-n", scene.guarded, "--grace-period=0", "--force")
    return token


def test_a_pod_gets_no_configuration_of_another_identity(scene: Scene) -> None:
    own, stolen = scene.read("curl", TOKEN), scene.read("httpbin", TOKEN)
    claims = scene.configuration
    (answer,) = scene.attempts(
        scene.guarded, scene.certificate(csr=signing_request(key := ec_key()), token=own)
    )  # fmt: skip
    client = ("".join(json.loads(answer["body"])["chain"]), key_pem(key).decode())
    account = {"SERVICE_ACCOUNT": "httpbin"}
    peer = {"x-forwarded-client-cert": f"URI=spiffe://cluster.local/ns/{scene.guarded}/sa/httpbin"}
    cases = {
        "another namespace, by token": (claims("istio-system", "gw", token=own), "PERMISSION_DENIED"),
        "another namespace, by certificate": (claims("istio-system", "gw", client=client), "PERMISSION_DENIED"),
        "a gateway of another namespace": (
            claims(
                "istio-system", "gw", client=client, role="router", metadata={"LABELS": {"istio": "ingressgateway"}}
            ),
            "PERMISSION_DENIED",
        ),
        "another account, by token": (claims(scene.guarded, "x", token=own, metadata=account), "PERMISSION_DENIED"),
        "another account, by certificate": (
            claims(scene.guarded, "x", client=client, metadata=account),
            "PERMISSION_DENIED",
        ),
        "another's token": (claims(scene.guarded, "x", token=stolen, metadata=account), "UNAUTHENTICATED"),
        "the API's token": (
            claims(scene.guarded, "x", token=scene.read("curl", API_TOKEN, "curl")),
            "UNAUTHENTICATED",
        ),
        "nothing": (claims(scene.guarded, "x"), "UNAUTHENTICATED"),
        "a forged header": (claims(scene.guarded, "x", headers=peer), "UNAUTHENTICATED"),
        "its own, by token": (claims(scene.guarded, "x", token=own), "OK"),
        "its own, by certificate": (claims(scene.guarded, "x", client=client), "OK"),
    }
    found = scene.attempts(scene.guarded, *(attempt for attempt, _ in cases.values()))
    for (what, (_, expected)), answer in zip(cases.items(), found, strict=True):
        assert answer["status"] == expected, (what, answer)
        assert bool(answer["names"]) == (expected == "OK"), what


def test_what_plain_text_on_15010_gives(scene: Scene) -> None:
    """Configuration for whoever one claims to be, as in Istio; neither certificates nor Secrets."""
    mesh = scene.mesh
    mesh.apply(json.dumps(tls_secret("shop-certificate", Authority("shop").issue("shop.example.com"))))
    plain = {"port": 15010, "plain": True}
    gateway = {
        "role": "router", "type": TYPES["secrets"], "names": ["kubernetes://shop-certificate"],
        "metadata": {"LABELS": {"istio": "ingressgateway", "app": "istio-ingressgateway"}},
    }  # fmt: skip
    clusters, secrets, issued = scene.attempts(
        scene.outside,
        scene.configuration(scene.guarded, "httpbin-1", **plain),
        scene.configuration("istio-system", "istio-ingressgateway-1", **plain, **gateway),
        {"try": "issue", "host": ISTIOD, **plain, "token": scene.read("httpbin", TOKEN)},
    )
    mesh.kubectl("delete", "secret", "shop-certificate", "-n", "istio-system")
    assert clusters["status"] == "OK"
    assert "PRIVATE KEY" not in clusters["text"]
    assert "PRIVATE KEY" not in secrets["text"]
    assert issued["status"] == "UNIMPLEMENTED"


def test_tokens_are_good_for_their_audience_alone(scene: Scene) -> None:
    mesh = scene.mesh
    proxys = scene.read("httpbin", TOKEN)
    body = json.loads(base64.urlsafe_b64decode(proxys.split(".")[1] + "=="))
    assert body["aud"] == ["istio-ca"]
    assert body["exp"] - body["iat"] <= 43_200 + 60
    refused = mesh.try_kubectl(*mesh.without_identity(), "--token", proxys, "get", "namespaces")
    assert refused.returncode != 0
    assert "Unauthorized" in refused.stderr or "must be logged in" in refused.stderr
    assert mesh.user(*mesh.without_identity(), "--token", scene.read("httpbin", API_TOKEN)).endswith(":httpbin")


def test_a_caller_in_the_mesh_cannot_say_that_it_is_another(scene: Scene) -> None:
    """The proxy of the called one tells who calls, whatever the caller has sent; and the way to it is mutual TLS."""
    forged = f"By=x;Hash=0;URI=spiffe://cluster.local/ns/{scene.guarded}/sa/admin"
    sent = ("-s", "-H", f"x-forwarded-client-cert: {forged}", "http://httpbin:8000/headers")
    headers = json.loads(scene.mesh.exec(scene.guarded, "deploy/curl", "curl", "curl", *sent))["headers"]
    (told,) = headers["X-Forwarded-Client-Cert"]
    assert "sa/admin" not in told
    assert f"URI=spiffe://cluster.local/ns/{scene.guarded}/sa/curl" in told
