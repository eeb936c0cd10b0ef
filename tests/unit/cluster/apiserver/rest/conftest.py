from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lateen.cluster.testing.things import Api, things_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with things_api(tmp_path) as found:
        yield found
