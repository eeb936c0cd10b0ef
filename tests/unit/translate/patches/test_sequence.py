"""Operations on ordered lists, against what they would be on a list of names."""

from __future__ import annotations

from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from hypothesis import given
from hypothesis import strategies as st

from lateen.api.networking.envoy_filter import Operation
from lateen.translate.patches.sequence import called, place

NAMES = st.sampled_from("abc")
OPERATIONS = st.sampled_from(
    [
        Operation.ADD,
        Operation.INSERT_FIRST,
        Operation.INSERT_BEFORE,
        Operation.INSERT_AFTER,
        Operation.REPLACE,
        Operation.REMOVE,
    ]
)


def placed(names: list[str], operation: Operation, selected: str | None) -> list[str]:
    listener = listener_pb2.Listener()
    for name in names:
        listener.listener_filters.add(name=name)
    place(listener.listener_filters, listener_components_pb2.ListenerFilter(name="new"), operation, called(selected))
    return [each.name for each in listener.listener_filters]


def expected(names: list[str], operation: Operation, selected: str | None) -> list[str]:
    at = names.index(selected) if selected in names else None
    match operation, selected:
        case Operation.ADD, _:
            return [*names, "new"]
        case Operation.REMOVE, _:
            return [name for name in names if name != selected]
        case Operation.REPLACE, None:
            return names
        case ((Operation.INSERT_FIRST | Operation.INSERT_BEFORE), None):
            return ["new", *names]
        case Operation.INSERT_AFTER, None:
            return [*names, "new"]
    if at is None:
        return names
    match operation:
        case Operation.INSERT_FIRST:
            return ["new", *names]
        case Operation.INSERT_BEFORE:
            return [*names[:at], "new", *names[at:]]
        case Operation.INSERT_AFTER:
            return [*names[: at + 1], "new", *names[at + 1 :]]
        case _:
            return [*names[:at], "new", *names[at + 1 :]]


@given(st.lists(NAMES, max_size=5), OPERATIONS, st.none() | NAMES)
def test_every_operation_on_every_list(names: list[str], operation: Operation, selected: str | None) -> None:
    assert placed(names, operation, selected) == expected(names, operation, selected)


@given(st.lists(NAMES, max_size=5), OPERATIONS, st.none() | NAMES)
def test_what_was_put_in_can_be_taken_out(names: list[str], operation: Operation, selected: str | None) -> None:
    put = placed(names, operation, selected)
    if operation not in (Operation.REPLACE, Operation.REMOVE):
        assert [name for name in put if name != "new"] == names


def test_the_end_may_be_before_what_must_be_last() -> None:
    listener = listener_pb2.Listener()
    for name in ("a", "last"):
        listener.listener_filters.add(name=name)
    for operation in (Operation.ADD, Operation.INSERT_AFTER):
        place(listener.listener_filters, listener_components_pb2.ListenerFilter(name="new"), operation, None, 1)
    assert [each.name for each in listener.listener_filters] == ["a", "new", "new", "last"]
