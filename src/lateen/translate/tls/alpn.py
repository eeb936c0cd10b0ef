"""What connections inside of the mesh say by ALPN: the server tells them from the application's own TLS, and HTTP from
other protocols, before it has decrypted anything.

Names are those of Istio's proxies, the most telling first.
"""

from __future__ import annotations

MESH_TCP = ("istio",)
"""Byte streams, and undeclared ports (whose listener announces HTTP where it finds it)."""
MESH_HTTP1 = ("istio-http/1.1", "istio")
MESH_HTTP2 = ("istio-h2", "istio", "h2")
"""The last one is for servers that are their own proxies: gRPC insists on it."""
MESH_HTTP = ("istio-http/1.0", "istio-http/1.1", "istio-h2")
"""What tells a server that a connection of the mesh carries HTTP."""
H2 = ("h2",)
"""HTTP/2 outside of the mesh."""
MESH_ALPN = ("istio", "istio-peer-exchange", *MESH_HTTP)
"""Whatever tells a server that a connection is of the mesh."""
