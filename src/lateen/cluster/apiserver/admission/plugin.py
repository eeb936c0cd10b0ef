"""One step of admission."""

from __future__ import annotations

from lateen.cluster.apiserver.admission.attributes import Attributes


class Plugin:
    """Both methods raise StatusError to refuse. The base class admits everything."""

    async def mutate(self, attributes: Attributes) -> None:
        """Changes `attributes.obj` in place. May be called again after webhooks: must be idempotent."""

    async def validate(self, attributes: Attributes) -> None:
        """Judges the final object; must not change it."""
