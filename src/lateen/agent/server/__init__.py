"""The agent's HTTP server, port 15020: readiness, rewritten probes of the application, merged metrics.

Standard library only: beside every application runs one of these.
"""

from lateen.agent.server.status_server import serve

__all__ = ["serve"]
