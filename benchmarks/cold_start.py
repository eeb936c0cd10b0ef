"""From nothing to all that a sidecar holds, against decoding the same objects and encoding the same protobufs."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from benchmarks.encoding_floor import encoding_cost
from benchmarks.mesh import Size
from benchmarks.result import Result, against
from benchmarks.served_mesh import collect_seldom, encoded, load, sidecar
from lateen.api.kinds import kind_of
from lateen.api.objects import Metadata
from lateen.api.schema.decode import decode_duration
from lateen.engine import Engine, Observation
from lateen.model.proxy import Proxy
from lateen.translate import catalog
from lateen.translate.resource import Resource, ResourceType

SIZE = Size(1000)


def measure() -> Sequence[Result]:
    """CPU time of one process: 1,000 services x 10 endpoints, 1,000 VirtualServices, 1,000 DestinationRules, 50
    namespaces, as JSON text; parsed, validated, taken into the engine, and translated to everything that one sidecar
    holds. The floor decodes the same text into the same types, and builds and serialises the same protobufs once."""
    samples, floors, _ = cold_start(SIZE, rounds=5)
    return [against("cold start, 1,000 services", samples, "decoding and encoding alone", floors)]


def cold_start(size: Size, rounds: int) -> tuple[list[float], list[float], float]:
    """CPU seconds of each round, of its floor, and the median share of parsing."""
    raws = encoded(size)
    proxy = sidecar(size, 0)
    collect_seldom()
    samples, floors, parsing = [], [], []
    for _ in range(rounds):
        started = time.process_time()
        engine = Engine()
        load(engine, raws)
        parsed = time.process_time()
        observations = list(observed(engine, proxy))
        samples.append(time.process_time() - started)
        parsing.append(parsed - started)
        resources = [(type_, observation.get()) for type_, observation in observations]
        floors.append(_decoding_cost(raws) + encoding_cost(resources))
        # Taking the old one apart is not part of the next start.
        del engine, observations, resources
        gc.collect()
    return samples, floors, statistics.median(parsing)


def observed(engine: Engine, proxy: Proxy) -> Iterator[tuple[ResourceType, Observation[Resource]]]:
    """Everything that a proxy holds, kept up to date from now on."""
    for view in engine.get(catalog.views, proxy):
        for type_ in ResourceType:
            for recipe in engine.observe(catalog.listing, type_, view).get():
                yield type_, engine.observe(recipe.query, *recipe.args)


def _decoding_cost(raws: Sequence[bytes]) -> float:
    """CPU seconds to decode the objects into their types, asking nothing about what they say."""
    typed = [(raw, _whole(raw)) for raw in raws]
    decoders = {type_: msgspec.json.Decoder(type_, dec_hook=decode_duration) for _, type_ in typed}
    started = time.process_time()
    for raw, type_ in typed:
        decoders[type_].decode(raw)
    return time.process_time() - started


def _whole(raw: bytes) -> type[Any]:
    """The type of a whole object."""
    head = msgspec.json.decode(raw)
    kind = kind_of(head["apiVersion"], head["kind"])
    assert kind is not None
    if kind.value is not None:
        return kind.value
    return _OBJECTS.setdefault(
        kind.kind,
        msgspec.defstruct(kind.kind, [("metadata", Metadata), ("spec", kind.spec)], frozen=True),
    )


_OBJECTS: dict[str, type[Any]] = {}
