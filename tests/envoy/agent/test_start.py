"""From nothing to ready, and what a proxy says while it waits."""

from __future__ import annotations

import asyncio
import signal
import stat

from cryptography.hazmat.primitives.asymmetric import ec, rsa


async def test_a_pod_becomes_ready(pod):
    async with pod() as running:
        await running.ready()
        agent, control_plane = running.agent, running.control_plane
        assert control_plane.tokens == ["token"]
        (node,) = control_plane.nodes
        assert node.id == "sidecar~10.1.2.3~app-1.default~default.svc.cluster.local"
        certificate = agent.certificate()
        assert certificate is not None
        assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
        for file in agent.sds.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        async with running.load() as load:
            while load.good < 5:
                await asyncio.sleep(0.02)
        load.check()
        status, text = await asyncio.to_thread(agent.get, agent.prometheus_port, "/stats/prometheus")
        assert status == 200
        assert "envoy_server_live" in text


async def test_what_is_beside_envoy_is_small(pod):
    async with pod() as running:
        await running.ready()
        agent = running.agent
        for _ in range(5):
            await asyncio.to_thread(agent.get, agent.status_port, "/stats/prometheus")
        assert sum(agent.memory(pid) for pid in (agent.keeper.pid, agent.agent)) < 25 * 2**20


async def test_names_within_statistics_become_labels(pod):
    matcher = {"inclusionPrefixes": ["cluster.outbound", "http.inbound", "listener."]}
    async with pod(proxy_config={"proxyStatsMatcher": matcher}) as running:
        await running.ready()
        async with running.load() as load:
            while load.good < 1:
                await asyncio.sleep(0.02)
        agent = running.agent
        _, text = await asyncio.to_thread(agent.get, agent.admin_port, "/stats/prometheus")
        for expected in (
            'envoy_cluster_upstream_cx_total{cluster_name="xds-grpc"}',
            'envoy_cluster_upstream_rq{response_code="200",cluster_name="outbound|80||app.shop.svc.cluster.local"}',
            'envoy_http_downstream_rq_total{http_conn_manager_prefix="inbound_0.0.0.0_80"}',
            f'envoy_listener_downstream_cx_total{{listener_address="127.0.0.1_{running.port}"}}',
        ):
            assert expected in text


async def test_keys_are_rsa_where_that_is_asked_for(pod):
    async with pod(environment={"WORKLOAD_RSA_KEY_SIZE": "3072"}) as running:
        await running.ready()
        key = running.agent.certificate().public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        assert key.key_size == 3072


async def test_without_a_token_it_waits_and_says_so(pod):
    async with pod(token="") as running:
        agent = running.agent
        await running.until(lambda: "istio-token: No such file" in agent.log())
        await running.until(lambda: "istio-token" in agent.get(agent.status_port, "/healthz/ready")[1])
        assert (await asyncio.to_thread(agent.get, agent.status_port, "/healthz/ready"))[0] == 503
        assert agent.envoy == 0
        agent.write("var/run/secrets/tokens/istio-token", "late")
        await running.ready()
        assert running.control_plane.tokens == ["late"]


async def test_a_control_plane_that_cannot_be_reached_is_waited_for(pod):
    async with pod(environment={"CA_ADDR": "127.0.0.1:9"}) as running:
        await running.until(lambda: "127.0.0.1:9: [Errno 111]" in running.agent.log())
        running.agent.signal(signal.SIGTERM)
        assert await asyncio.to_thread(running.agent.ended) == 0


async def test_a_certificate_of_somebody_else_is_not_believed(pod):
    async with pod(environment={"ISTIOD_SAN": "istiod.elsewhere.svc"}) as running:
        await running.until(lambda: "its certificate is not of istiod.elsewhere.svc" in running.agent.log())
        assert running.control_plane.tokens == []


async def test_what_an_authority_asks_for_is_honoured(pod):
    async with pod() as running:
        running.control_plane.refusal = (429, {"Retry-After": "2"})
        await running.control_plane.until_asked(1)
        began = asyncio.get_running_loop().time()
        running.control_plane.refusal = None
        await running.control_plane.until_asked(2)
        assert asyncio.get_running_loop().time() - began > 1.5
        await running.ready()


async def test_probes_that_cannot_be_made_are_refused_by_name(pod):
    probers = '{"/app-health/app/readyz": {"httpGet": {"port": "none"}}}'
    async with pod(environment={"ISTIO_KUBE_APP_PROBERS": probers}) as running:
        assert await asyncio.to_thread(running.agent.ended) == 1
        log = running.agent.log()
        assert "/app-health/app/readyz" in log
        assert "Traceback" not in log


async def test_a_bootstrap_that_envoy_refuses_ends_the_container_with_its_words(pod):
    async with pod(
        proxy_config={"runtimeValues": {"a": "b"}}, arguments=("--proxyComponentLogLevel=nonsense:debug",)
    ) as running:
        assert await asyncio.to_thread(running.agent.ended) == 1
        log = running.agent.log()
        assert "Envoy does not take its bootstrap" in log
        assert "nonsense" in log
