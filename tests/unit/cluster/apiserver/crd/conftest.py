from __future__ import annotations

import pytest

from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas


@pytest.fixture(scope="session")
def schemas() -> BuiltinSchemas:
    return BuiltinSchemas.load()
