"""What identity needs of a Kubernetes API beyond single requests: watches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol

from lateen.api.kubernetes.requests import KubernetesApi


class WatchedApi(KubernetesApi, Protocol):
    def watch(self, path: str, parameters: Mapping[str, str]) -> AsyncGenerator[tuple[Any, ...], None]:
        """Batches of events, the first of them empty once the watch has begun. Ends when the server ends it.

        Raises OSError or another Exception when it cannot begin or go on.
        """
