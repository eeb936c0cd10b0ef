"""Laws over generated objects of every kind of the mesh: spellings, round trips, located faults."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lateen.api.crds import crds
from lateen.api.kind import Kind
from lateen.api.kinds import KINDS, MESH_KINDS
from lateen.api.parse import parse, parse_as
from lateen.api.schema.encode import encode
from lateen.api.schema.fault import Severity
from lateen.api.schema.shape import (
    Alternatives,
    Anything,
    Boolean,
    Choice,
    Entries,
    FieldShape,
    Items,
    MessageShape,
    Number,
    Shape,
    Span,
    Text,
    messages,
)
from lateen.cluster.apiserver.crd.kind import CustomKind, kinds_of
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas

_SETTINGS = settings(
    max_examples=12,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
_WORDS = st.sampled_from(["a", "reviews", "v1", "x-y", "*.example.com", "10.0.0.1", "80"])
_JSON = st.recursive(st.none() | st.booleans() | st.integers(0, 9) | _WORDS, lambda inner: st.lists(inner, max_size=2))

every_kind = pytest.mark.parametrize("kind", MESH_KINDS, ids=lambda kind: kind.kind)


# --- strictly spelt values of a shape -------------------------------------------------------------------------------


def values(shape: Shape) -> st.SearchStrategy[Any]:
    match shape:
        case MessageShape():
            return _messages(shape)
        case Items():
            least = shape.min_length or 0
            return st.lists(st.deferred(lambda: values(shape.item)), min_size=least, max_size=least + 2)
        case Entries():
            return st.dictionaries(
                _WORDS, st.deferred(lambda: values(shape.value)), min_size=shape.min_length or 0, max_size=2
            )
        case Text():
            return _texts(shape)
        case Number():
            return _numbers(shape)
        case Choice():
            return st.sampled_from(shape.values)
        case Boolean():
            return st.booleans()
        case Span():
            return st.sampled_from(["1s", "0.5s", "3600s", "0.000000001s"])
        case Alternatives():
            return st.integers(0, 9) | _WORDS
        case Anything():
            return st.dictionaries(_WORDS, _JSON, max_size=2) if shape.is_object else _JSON


@st.composite
def _messages(draw: st.DrawFn, shape: MessageShape) -> dict[str, Any]:
    rivals = {name: group for group in shape.oneofs for name in group}
    found: dict[str, Any] = {}
    for field in shape.fields:
        if any(rival in found for rival in rivals.get(field.name, ())):
            continue
        if field.required or draw(st.integers(0, 3)) == 0:
            found[field.name] = draw(values(field.shape))
    return found


def _texts(shape: Text) -> st.SearchStrategy[str]:
    if shape.base64:
        return st.sampled_from(["", "YQ==", "aGk=", "Ym9i"])
    if shape.pattern is not None:
        return st.from_regex(re.compile(shape.pattern, re.ASCII), fullmatch=True).filter(
            lambda text: "\n" not in text and len(text) <= (shape.max_length or 100)
        )
    return _WORDS.filter(lambda text: (shape.min_length or 0) <= len(text) <= (shape.max_length or 100))


def _numbers(shape: Number) -> st.SearchStrategy[Any]:
    least = 0 if shape.minimum is None else shape.minimum
    least = least if shape.above is None else shape.above + 1
    most = least + 1000 if shape.maximum is None else min(shape.maximum, least + 70000)
    if shape.is_integer:
        return st.integers(int(max(least, most - 70000)), int(most))
    return st.floats(least, most, allow_nan=False, width=32)


# --- other spellings of the same values -----------------------------------------------------------------------------


def respelt(value: Any, shape: Shape, choose: Callable[[], bool]) -> Any:
    """The same value in some of the ways that proto-JSON has for it."""
    match shape:
        case MessageShape():
            fields = {field.name: field for field in shape.fields}
            found = {
                (fields[name].proto_name if choose() else name): respelt(item, fields[name].shape, choose)
                for name, item in value.items()
            }
            absent = [field.name for field in shape.fields if field.name not in value and not field.required]
            return {**found, **{name: None for name in absent if choose()}}
        case Items():
            return tuple(respelt(item, shape.item, choose) for item in value)
        case Entries():
            return {key: respelt(item, shape.value, choose) for key, item in value.items()}
        case Number() if choose():
            return str(value) if choose() or not shape.is_integer else float(value)
        case Choice() if choose():
            return shape.numbers[shape.values.index(value)]
        case Span() if choose():
            return {"1s": "1000ms", "0.5s": "500ms", "3600s": "60m0s", "0.000000001s": "1ns"}[value]
    return value


@every_kind
@_SETTINGS
@given(data=st.data())
def test_all_spellings_of_an_object_are_the_same_object(kind: Kind, data: st.DataObject) -> None:
    decoder = kind.spec_decoder
    strict = data.draw(values(decoder.shape))
    lenient = respelt(strict, decoder.shape, lambda: data.draw(st.booleans()))
    expected, expected_faults = decoder.decode(strict)
    found, found_faults = decoder.decode(lenient)
    assert found == expected
    assert [fault.message for fault in found_faults] == [fault.message for fault in expected_faults]


@every_kind
@_SETTINGS
@given(data=st.data())
def test_an_object_survives_encoding(kind: Kind, data: st.DataObject) -> None:
    value, _ = kind.spec_decoder.decode(data.draw(values(kind.spec_decoder.shape)))
    assume(value is not None)
    assert value is not None
    assert kind.spec_decoder.decode(encode(value)) == (value, ())


@every_kind
@_SETTINGS
@given(data=st.data())
def test_validation_says_yes_or_no_and_never_breaks(kind: Kind, data: st.DataObject) -> None:
    spec = data.draw(values(kind.spec_decoder.shape))
    raw = {"metadata": {"name": "a", "namespace": "b"}, "spec": spec}
    parsed = parse_as(kind, raw)
    assert (parsed.value is None) == any(fault.severity is Severity.ERROR for fault in parsed.faults)


# --- the definitions judge as we do ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def customs() -> dict[str, CustomKind]:
    """The kinds as the local cluster's API server has them from our definitions."""
    meta = BuiltinSchemas.load().definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    return {crd["spec"]["names"]["kind"]: kinds_of(crd, meta)[0] for crd in crds()}


def judged_by_definition(customs: dict[str, CustomKind], kind: Kind, spec: Any) -> list[Any]:
    obj = {"apiVersion": kind.api_versions[0], "kind": kind.kind, "metadata": {"name": "a"}, "spec": spec}
    return list(customs[kind.kind].validate_schema(obj, None))


@every_kind
@_SETTINGS
@given(data=st.data())
def test_the_definition_takes_what_we_take(kind: Kind, customs: dict[str, CustomKind], data: st.DataObject) -> None:
    shape = kind.spec_decoder.shape
    spec = data.draw(values(shape))
    _, faults = kind.spec_decoder.decode(spec)
    assert (judged_by_definition(customs, kind, spec) == []) == (faults == ())


@every_kind
@_SETTINGS
@given(data=st.data())
def test_the_definition_refuses_what_we_refuse(kind: Kind, customs: dict[str, CustomKind], data: st.DataObject) -> None:
    shape = kind.spec_decoder.shape
    spec = data.draw(values(shape))
    found = [place for place in places(spec, shape) if not isinstance(place[3], Anything) or place[3].is_object]
    assume(found)
    _, container, key, inner = data.draw(st.sampled_from(found))
    if isinstance(container, dict) and data.draw(st.booleans()):
        del container[key]
    else:
        container[key] = spoilt(inner)
    _, faults = kind.spec_decoder.decode(spec)
    assert (judged_by_definition(customs, kind, spec) == []) == (faults == ())


# --- what is wrong is told where it is ------------------------------------------------------------------------------


Place = tuple[str, Any, Any, Shape]
"""Path, the container and the key of a value in it, and the value's shape."""


def places(value: Any, shape: Shape, path: str = "") -> Iterator[Place]:
    match shape:
        case MessageShape():
            for field in shape.fields:
                if field.name in value:
                    where = f"{path}.{field.name}" if path else field.name
                    yield where, value, field.name, field.shape
                    yield from places(value[field.name], field.shape, where)
        case Items():
            for index, item in enumerate(value):
                yield f"{path}[{index}]", value, index, shape.item
                yield from places(item, shape.item, f"{path}[{index}]")
        case Entries():
            for key, item in value.items():
                yield f"{path}[{key}]", value, key, shape.value
                yield from places(item, shape.value, f"{path}[{key}]")


def spoilt(shape: Shape) -> Any:
    """A value that no shape of this sort takes."""
    match shape:
        case MessageShape() | Entries() | Anything():
            return "no object"
        case Items():
            return {"no": "list"}
        case Text():
            return 5
        case Number():
            return "five"
        case Choice():
            return "NO_SUCH_VALUE"
        case Boolean():
            return "true"
        case Span():
            return "5 parsecs"
        case Alternatives():
            return []


@every_kind
@_SETTINGS
@given(data=st.data())
def test_a_value_of_the_wrong_sort_is_told_at_its_place(kind: Kind, data: st.DataObject) -> None:
    shape = kind.spec_decoder.shape
    spec = data.draw(values(shape))
    found = [place for place in places(spec, shape) if not isinstance(place[3], Anything) or place[3].is_object]
    assume(found)
    path, container, key, inner = data.draw(st.sampled_from(found))
    container[key] = spoilt(inner)
    value, faults = kind.spec_decoder.decode(spec, "spec")
    assert value is None
    assert [fault.path for fault in faults] == [f"spec.{path}"]


@every_kind
@_SETTINGS
@given(data=st.data())
def test_an_unknown_field_is_told_with_what_was_meant(kind: Kind, data: st.DataObject) -> None:
    shape = kind.spec_decoder.shape
    spec = data.draw(values(shape))
    places_of_messages = [("", spec, shape)]
    places_of_messages += [
        (path, container[key], inner)
        for path, container, key, inner in places(spec, shape)
        if isinstance(inner, MessageShape) and inner.fields
    ]
    path, message, inner = data.draw(st.sampled_from(places_of_messages))
    meant = data.draw(st.sampled_from([field for field in inner.fields if len(field.name) > 5] or [None]))
    assume(meant is not None)
    assert isinstance(meant, FieldShape)
    wrong = meant.name + "x"
    assume(all(field.name != wrong for field in inner.fields))
    message[wrong] = 1
    value, faults = kind.spec_decoder.decode(spec, "spec")
    assert value is None
    assert [fault.path for fault in faults] == [".".join(filter(None, ("spec", path, wrong)))]
    assert f"did you mean {meant.name}?" in faults[0].message


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in MESH_KINDS
        if any(field.required for message in messages(kind.spec_decoder.shape) for field in message.fields)
    ],
    ids=lambda kind: kind.kind,
)
@_SETTINGS
@given(data=st.data())
def test_a_missing_field_is_told_by_name(kind: Kind, data: st.DataObject) -> None:
    shape = kind.spec_decoder.shape
    spec = data.draw(values(shape))
    required = [
        (path, container, key)
        for path, container, key, _ in places(spec, shape)
        if isinstance(container, dict) and _is_required(container, key, spec, shape)
    ]
    assume(required)
    path, container, key = data.draw(st.sampled_from(required))
    del container[key]
    value, faults = kind.spec_decoder.decode(spec, "spec")
    assert value is None
    assert [fault.path for fault in faults] == [f"spec.{path}"]
    assert faults[0].message.startswith("missing")


def _is_required(container: Any, key: str, spec: Any, shape: MessageShape) -> bool:
    if container is spec:
        return any(field.name == key and field.required for field in shape.fields)
    for _, holder, name, inner in places(spec, shape):
        if holder[name] is container and isinstance(inner, MessageShape):
            return any(field.name == key and field.required for field in inner.fields)
    return False


# --- whatever comes -------------------------------------------------------------------------------------------------

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
@_SETTINGS
@given(data=st.data())
def test_no_object_breaks_the_parser(kind: Kind, data: st.DataObject) -> None:
    shape = (kind.spec_decoder if kind.is_mesh else kind.value_decoder).shape
    names = st.sampled_from([field.name for field in shape.fields] or ["a"])
    spec = data.draw(_ANYTHING | st.dictionaries(names, _ANYTHING, max_size=4))
    metadata = data.draw(_ANYTHING | st.fixed_dictionaries({"name": st.just("a")}))
    inner = {"spec": spec} if kind.is_mesh else dict.fromkeys(data.draw(st.lists(names, max_size=2)), spec)
    raw = {"apiVersion": kind.api_versions[0], "kind": kind.kind, "metadata": metadata, **inner}
    parsed = parse(raw)
    assert parsed.kind is kind
    assert parsed.is_valid or parsed.faults


@_SETTINGS
@given(st.binary(max_size=40) | _ANYTHING)
def test_no_text_breaks_the_parser(raw: Any) -> None:
    parsed = parse(raw)
    assert not parsed.is_valid
