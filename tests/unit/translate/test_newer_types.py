"""Fields that the installed protobuf classes lack are read and printed like others."""

from __future__ import annotations

import sys

from lateen.testing.mesh import Mesh
from lateen.translate.envoy_types import decoded, message_class, readable
from lateen.translate.newer_types import PACKAGES, StatsLoggerConfig
from lateen.translate.resource import ResourceType
from lateen.translate.telemetry.stats_logger import Counter, Histogram, Tag, Unit, replaced, stats_logger


def test_what_is_written_as_bytes_is_that_message() -> None:
    made = stats_logger(
        [Tag("code", "%RESPONSE_CODE%", replaced({"-": ""}, otherwise="bad"))],
        (Counter("a"), Counter("b", "%BYTES_SENT%")),
        (Histogram("c", "%DURATION%", Unit.Value("Milliseconds")),),
    )
    log = message_class("envoy.config.accesslog.v3.AccessLog")
    assert log is not None
    config = readable(log.FromString(made))["typed_config"]
    update = {"@type": "type.googleapis.com/envoy.extensions.matching.actions.transform_stat.v3.TransformStat"}
    tag = config["counters"][0]["stat"]["tags"][0]
    found = tag["rules"]["matcher_tree"]["exact_match_map"]["map"]["-"]["action"]["typed_config"]
    assert found == {**update, "update_tag": {}}
    assert tag["rules"]["on_no_match"]["action"]["typed_config"]["update_tag"] == {"new_tag_value": "bad"}
    assert config["counters"][1]["value_format"] == "%BYTES_SENT%"
    assert config["histograms"][0]["unit"] == "Milliseconds"
    assert config["stats_scope"] == {
        "max_counters": 10_000,
        "max_histograms": 15_000,
        "enable_eviction": True,
        "prefix": "istio",
        "sharing_name": "istio",
    }


def test_nothing_is_left_out_of_listeners_as_people_read_them() -> None:
    mesh = Mesh()
    made = mesh.resources(ResourceType.LDS, mesh.proxy())["virtualInbound"]
    text = str(readable(decoded(ResourceType.LDS, made)))
    assert "sharing_name" in text
    assert "on_downstream_tls_handshake" in text


def test_the_installed_classes_are_left_alone() -> None:
    assert message_class("envoy.extensions.access_loggers.stats.v3.Config") is StatsLoggerConfig
    for package in PACKAGES:
        assert message_class(f"{package}.Nothing") is None
        assert not [name for name in sys.modules if name.startswith(f"{package}.") and name.endswith("_pb2")]
