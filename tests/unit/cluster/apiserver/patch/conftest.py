"""A schema with one of everything that patches tell apart."""

from __future__ import annotations

import pytest

from lateen.cluster.apiserver.schema.schema import Schema

TEXT = Schema(type="string")
NUMBER = Schema(type="integer")


@pytest.fixture(scope="session")
def widget() -> Schema:
    port = Schema(
        type="object",
        properties={"port": NUMBER, "protocol": Schema(type="string", default="TCP"), "name": TEXT},
    )
    container = Schema(
        type="object",
        properties={
            "name": TEXT,
            "image": TEXT,
            "args": Schema(type="array", items=TEXT, list_type="atomic"),
            "ports": Schema(
                type="array",
                items=port,
                list_type="map",
                list_map_keys=("port", "protocol"),
                patch_strategy=("merge",),
                patch_merge_key="port",
            ),
        },
    )
    spec = Schema(
        type="object",
        properties={
            "replicas": NUMBER,
            "selector": Schema(type="object", additional=TEXT, map_type="atomic"),
            "data": Schema(type="object", additional=TEXT),
            "containers": Schema(
                type="array",
                items=container,
                list_type="map",
                list_map_keys=("name",),
                patch_strategy=("merge",),
                patch_merge_key="name",
            ),
            "tags": Schema(type="array", items=TEXT, list_type="set", patch_strategy=("merge",)),
            "strategy": Schema(
                type="object",
                properties={"type": TEXT, "rolling": Schema(type="object", properties={"max": NUMBER})},
                patch_strategy=("retainKeys",),
            ),
            "open": Schema(type="object", preserve_unknown=True),
        },
    )
    status = Schema(type="object", properties={"ready": NUMBER})
    return Schema(type="object", properties={"metadata": Schema(type="object"), "spec": spec, "status": status})
