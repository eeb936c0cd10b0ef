"""A regular expression that only some Envoys take: who has one that refuses it is told, and keeps what it had."""

from __future__ import annotations

from pathlib import Path

from lateen.testing.live_mesh import live_mesh


async def test_an_envoy_that_refuses_a_large_program_keeps_its_routes(tmp_path: Path) -> None:
    """By default an Envoy takes programs of 100 instructions (`re2.max_program_size.error_level`)."""
    async with live_mesh(tmp_path) as mesh:
        mesh.manifests.write("web", mesh.routes(match=[{"uri": {"regex": "/[a-z]{150}"}}]))
        await mesh.until_fault("VirtualService", "web", "WARNING spec.http[0].match[0].uri.regex", "155 instructions")
        await mesh.until_fault("VirtualService", "web", "client-1.shop rejects RDS", "max program size of 100")
        assert mesh.istiod.debug("push_status")["pilot_total_xds_rejects"]
        await mesh.load.more()
        mesh.manifests.write("web", mesh.routes())
        await mesh.until_well()
        await mesh.goes_on()
