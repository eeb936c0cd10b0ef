r"""Paths into a tree of values, as `--set` and overlays write them.

    values.global.proxy.image            keys
    components.ingressGateways[0].name   items of lists by number; [-1] is the place after the last
    containers.[name:discovery].args     items by the value of a key; the dot before a bracket may be there or not
    args.[:--log_as_json]                items that are this value
    nodeSelector.kubernetes\.io/os       a backslash takes the meaning from the character after it

Sources: Istio's operator/pkg/tpath and the documentation of `istioctl install --set`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

_LONGEST: Final = 4096
_AFTER_THE_LAST: Final = -1


class PathError(ValueError):
    """A path that cannot be read, or that leads nowhere; the message says where and why."""


class Key(msgspec.Struct, frozen=True):
    """A key of a mapping."""

    name: str

    def __str__(self) -> str:
        return _escaped(self.name)


class Index(msgspec.Struct, frozen=True):
    """An item of a list by its number, from 0; -1 is the place after the last."""

    number: int

    def __str__(self) -> str:
        return f"[{self.number}]"


class Match(msgspec.Struct, frozen=True):
    """The first item of a list whose key has this value; without a key, the item that is the value."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"[{_escaped(self.key)}:{_escaped(self.value)}]"

    def fits(self, item: Any) -> bool:
        if not self.key:
            return _text(item) == self.value
        return isinstance(item, dict) and self.key in item and _text(item[self.key]) == self.value


Step = Key | Index | Match
Path = tuple[Step, ...]


def parse_path(text: str) -> Path:
    """The steps of a path. Raises PathError."""
    if len(text) > _LONGEST:
        raise PathError(f"a path of more than {_LONGEST} characters")
    steps = tuple(_steps(text))
    if not steps:
        raise PathError("the path is empty")
    return steps


def format_path(path: Path) -> str:
    """As users write it: what `parse_path` reads."""
    text = ""
    for step in path:
        text += f".{step}" if text and isinstance(step, Key) else str(step)
    return text


def set_at(tree: dict[str, Any], path: Path, value: Any, *, create: bool = True) -> None:
    """Puts a value into the tree. Mappings, and items by key, that are not there are made if `create`.

    Raises PathError when the tree has something else at a step, or an item that is not there.
    """
    *way, last = path
    here: Any = tree
    for number, step in enumerate(way):
        fresh: Any = {} if isinstance(path[number + 1], Key) else []
        here = _enter(here, step, path[: number + 1], fresh if create else None)
    _put(here, last, path, value, create)


def delete_at(tree: dict[str, Any], path: Path) -> None:
    """Removes what is at a path. Raises PathError when there is nothing."""
    *way, last = path
    here: Any = tree
    for number, step in enumerate(way):
        here = _enter(here, step, path[: number + 1], None)
    if isinstance(last, Key):
        _mapping(here, path)
        if last.name not in here:
            raise PathError(f"{format_path(path)}: there is nothing")
        del here[last.name]
        return
    position = _position(here, last, path)
    if position is None or position == len(here):
        raise PathError(f"{format_path(path)}: there is no such item")
    del here[position]


# --- reading ------------------------------------------------------------------------------------------------------


def _steps(text: str) -> Iterator[Step]:
    at = 0
    while at < len(text):
        if text[at] == "[":
            step, at = _bracket(text, at)
            yield step
        else:
            name, at = _until(text, at, ".[")
            if not name:
                raise PathError(f"an empty key at character {at + 1} of {text!r}")
            yield Key(name)
        if at < len(text) and text[at] == ".":
            at += 1
            if at == len(text):
                raise PathError(f"{text!r} ends in a dot")


def _bracket(text: str, at: int) -> tuple[Step, int]:
    begin = at
    key, at = _until(text, at + 1, ":]")
    if at < len(text) and text[at] == ":":
        value, at = _until(text, at + 1, "]")
        step: Step = Match(key, value)
    else:
        try:
            number = int(key) if key.lstrip("-").isdecimal() and key.isascii() and len(key) < 10 else None
        except ValueError:
            number = None
        if number is None or number < _AFTER_THE_LAST:
            raise PathError(f"[{key}] in {text!r}: expected a number from -1 on, [key:value] or [:value]")
        step = Index(number)
    if at == len(text):
        raise PathError(f"the bracket at character {begin + 1} of {text!r} is not closed")
    at += 1
    if at < len(text) and text[at] not in ".[":
        raise PathError(f"expected a dot or a bracket at character {at + 1} of {text!r}")
    return step, at


def _until(text: str, at: int, ends: str) -> tuple[str, int]:
    """Text up to one of these characters, without its backslashes, and where it ends."""
    found: list[str] = []
    while at < len(text) and text[at] not in ends:
        if text[at] == "\\":
            at += 1
            if at == len(text):
                raise PathError(f"{text!r} ends in a backslash")
        found.append(text[at])
        at += 1
    return "".join(found), at


def _escaped(text: str) -> str:
    return "".join(f"\\{each}" if each in "\\.[]:" else each for each in text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


# --- walking ------------------------------------------------------------------------------------------------------


def _enter(here: Any, step: Step, path: Path, fresh: Any) -> Any:
    """What is at the step. `fresh` is put there if there is nothing; None: that is an error."""
    if isinstance(step, Key):
        _mapping(here, path)
        if here.get(step.name) is None:
            if fresh is None:
                raise PathError(f"{format_path(path)}: there is nothing")
            here[step.name] = fresh
        return here[step.name]
    position = _position(here, step, path)
    if position is not None and position < len(here):
        return here[position]
    if fresh is None or isinstance(fresh, list) or (isinstance(step, Match) and not step.key):
        raise PathError(f"{format_path(path)}: there is no such item")
    here.append({step.key: step.value} if isinstance(step, Match) else fresh)
    return here[-1]


def _put(here: Any, step: Step, path: Path, value: Any, create: bool) -> None:
    if isinstance(step, Key):
        _mapping(here, path)
        here[step.name] = value
        return
    position = _position(here, step, path)
    if position is None:
        if not create:
            raise PathError(f"{format_path(path)}: there is no such item")
        position = len(here)
    here[position : position + 1] = [value]


def _mapping(here: Any, path: Path) -> None:
    if not isinstance(here, dict):
        raise PathError(f"{format_path(path)}: expected a mapping around {path[-1]}, found {_kind(here)}")


def _position(here: Any, step: Index | Match, path: Path) -> int | None:
    """Of an item; the length of the list for the place after the last; None if no item matches."""
    if not isinstance(here, list):
        raise PathError(f"{format_path(path)}: expected a list around {step}, found {_kind(here)}")
    if isinstance(step, Match):
        return next((number for number, item in enumerate(here) if step.fits(item)), None)
    if step.number == _AFTER_THE_LAST:
        return len(here)
    if step.number > len(here):
        raise PathError(f"{format_path(path)}: the list has {len(here)} items")
    return step.number


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
    return repr(value)
