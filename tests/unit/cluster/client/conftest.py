from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def server(fake_api_server: Any) -> Any:
    return fake_api_server
