"""Cuts a template's text into tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from lateen.injection.go_template.errors import TemplateError


class Sort(Enum):
    """What a token is."""

    TEXT = "text"
    OPEN = "{{"
    CLOSE = "}}"
    SPACE = "space"
    WORD = "word"
    """A function or a keyword."""
    FIELD = ".name"
    DOT = "."
    VARIABLE = "$name"
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"
    END = "the end"


class Token(NamedTuple):
    sort: Sort
    text: str
    """Of a string: what it stands for; of a field and a variable: with its dot or dollar."""
    line: int


_OPEN: Final = re.compile(r"\{\{(-(?=[ \t\r\n]))?")
_COMMENT: Final = re.compile(r"[ \t\r\n]*/\*.*?\*/", re.DOTALL)
_CLOSE: Final = re.compile(r"(?:[ \t\r\n]+-)?\}\}")
_PARTS: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<raw>`[^`]*`)
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<char>'(?:[^'\\\n]|\\.)+')
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?
        |\.[0-9]+(?:[eE][+-]?[0-9]+)?))
    |(?P<variable>\$[A-Za-z0-9_]*)
    |(?P<field>\.[A-Za-z_][A-Za-z0-9_]*)
    |(?P<dot>\.)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<symbol>:=|[|(),=])""",
    re.VERBOSE,
)
_ESCAPES: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
}
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SORTS: Final = {
    "space": Sort.SPACE,
    "number": Sort.NUMBER,
    "variable": Sort.VARIABLE,
    "field": Sort.FIELD,
    "dot": Sort.DOT,
    "word": Sort.WORD,
    "symbol": Sort.SYMBOL,
}


def tokens(name: str, text: str) -> Iterator[Token]:
    """All tokens, the last of sort END. Raises TemplateError."""
    place, line, trim = 0, 1, False
    while True:
        opening = _OPEN.search(text, place)
        end = opening.start() if opening else len(text)
        plain = text[place:end]
        shown = plain.lstrip(" \t\r\n") if trim else plain
        if opening and opening[1]:
            shown = shown.rstrip(" \t\r\n")
        if shown:
            yield Token(Sort.TEXT, shown, line)
        line += plain.count("\n")
        if not opening:
            yield Token(Sort.END, "", line)
            return
        comment = _COMMENT.match(text, opening.end())
        if comment:
            closing = _CLOSE.match(text, comment.end())
            if closing is None:
                raise TemplateError("a comment has to end with */}}", name, line)
            line += comment[0].count("\n") + closing[0].count("\n")
            place, trim = closing.end(), len(closing[0]) > 2
            continue
        yield Token(Sort.OPEN, "{{", line)
        place = opening.end()
        while True:
            closing = _CLOSE.match(text, place)
            if closing:
                line += closing[0].count("\n")
                yield Token(Sort.CLOSE, "}}", line)
                place, trim = closing.end(), len(closing[0]) > 2
                break
            part = _PARTS.match(text, place)
            if part is None:
                what = repr(text[place : place + 10]) if place < len(text) else "the end of the text"
                raise TemplateError(f"an action is not closed with }}}} before {what}", name, line)
            yield _token(name, part, line)
            line += part[0].count("\n")
            place = part.end()


def _token(name: str, part: re.Match[str], line: int) -> Token:
    kind, text = part.lastgroup or "", part[0]
    if kind == "raw":
        return Token(Sort.STRING, text[1:-1], line)
    if kind == "string":
        return Token(Sort.STRING, _unquoted(name, text, line), line)
    if kind == "char":
        found = _unquoted(name, text, line)
        if len(found) != 1:
            raise TemplateError(f"{text} is not one character; strings are in double quotes", name, line)
        return Token(Sort.NUMBER, str(ord(found)), line)
    return Token(_SORTS[kind], text, line)


def _unquoted(name: str, text: str, line: int) -> str:
    def plain(escape: re.Match[str]) -> str:
        code = escape[1]
        if len(code) > 1:
            number = int(code, 8) if code[0].isdigit() else int(code[1:], 16)
            if number < 0x110000 and not 0xD800 <= number < 0xE000:
                return chr(number)
        elif code in _ESCAPES:
            return _ESCAPES[code]
        raise TemplateError(f"{escape[0]!r} is not an escape that Go knows", name, line)

    return _ESCAPE.sub(plain, text[1:-1])
