"""From tokens to nodes: Go's grammar of templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lateen.injection.go_template.errors import TemplateError
from lateen.injection.go_template.lexer import Sort, Token, tokens
from lateen.injection.go_template.nodes import (
    Break,
    Call,
    Chain,
    Command,
    Continue,
    Dot,
    Function,
    If,
    Literal,
    Node,
    Operand,
    Pipeline,
    Range,
    Show,
    Text,
    Variable,
    With,
)

_KEYWORDS: Final = frozenset(("if", "else", "end", "range", "with", "define", "template", "block", "break", "continue"))
_CONSTANTS: Final = {"true": True, "false": False, "nil": None}
_DEEPEST: Final = 100
"""Levels of blocks and of parentheses."""


class Parser:
    """Of one text. `definitions` has the named templates that it holds, once `parse` is through."""

    def __init__(self, name: str, text: str) -> None:
        self.definitions: dict[str, tuple[Node, ...]] = {}
        self._name = name
        self._tokens = list(tokens(name, text))
        self._place = 0
        self._depth = 0
        self._loops = 0
        self._scopes: list[set[str]] = [{"$"}]

    def parse(self) -> tuple[Node, ...]:
        """Raises TemplateError."""
        nodes, ending = self._list(top=True)
        if ending:
            raise self._error(f"there is nothing that {{{{{ending}}}}} ends")
        return nodes

    # --- blocks ---------------------------------------------------------------------------------------------------

    def _list(self, top: bool = False) -> tuple[tuple[Node, ...], str]:
        """Nodes up to `end` or `else`, which is given back too; empty at the end of the text."""
        self._enter()
        nodes: list[Node] = []
        while True:
            token = self._next()
            if token.sort is Sort.END:
                if not top:
                    raise TemplateError("the text ends within a block: {{end}} is missing", self._name, token.line)
                break
            if token.sort is Sort.TEXT:
                nodes.append(Text(token.text))
                continue
            self._skip()
            word = self._peek()
            if word.sort is Sort.WORD and word.text in _KEYWORDS:
                self._next()
                if word.text in ("end", "else"):
                    if word.text == "end":
                        self._close()
                    self._depth -= 1
                    return tuple(nodes), word.text
                nodes += self._block(word)
            else:
                nodes.append(Show(self._pipeline(declare=True)))
                self._close()
        self._depth -= 1
        return tuple(nodes), ""

    def _block(self, word: Token) -> list[Node]:
        match word.text:
            case "if":
                return [self._branch(If)]
            case "with":
                return [self._branch(With)]
            case "range":
                return [self._range()]
            case "template":
                return [self._call(word.line)]
            case "define":
                self._define()
                return []
            case "block":
                return [self._default_block(word.line)]
        self._close()
        if not self._loops:
            raise self._error(f"{{{{{word.text}}}}} outside of {{{{range}}}}")
        return [Break(word.line) if word.text == "break" else Continue(word.line)]

    def _branch(self, kind: Callable[[Pipeline, tuple[Node, ...], tuple[Node, ...]], If | With]) -> If | With:
        self._scopes.append(set(self._scopes[-1]))
        pipeline = self._pipeline(declare=True)
        self._close()
        then, ending = self._scoped()
        otherwise: tuple[Node, ...] = ()
        if ending == "else":
            self._skip()
            word = self._peek()
            if word.sort is Sort.WORD and word.text in ("if", "with"):
                self._next()
                self._enter()
                otherwise = (self._branch(If if word.text == "if" else With),)
                self._depth -= 1
            else:
                self._close()
                otherwise = self._last_part()
        self._scopes.pop()
        return kind(pipeline, then, otherwise)

    def _range(self) -> Range:
        self._scopes.append(set(self._scopes[-1]))
        pipeline = self._pipeline(declare=True, pair=True)
        self._close()
        self._loops += 1
        body, ending = self._scoped()
        self._loops -= 1
        otherwise: tuple[Node, ...] = ()
        if ending == "else":
            self._close()
            otherwise = self._last_part()
        self._scopes.pop()
        return Range(pipeline, body, otherwise)

    def _scoped(self) -> tuple[tuple[Node, ...], str]:
        self._scopes.append(set(self._scopes[-1]))
        found = self._list()
        self._scopes.pop()
        return found

    def _last_part(self) -> tuple[Node, ...]:
        nodes, ending = self._scoped()
        if ending != "end":
            raise self._error("a block has one {{else}} only")
        return nodes

    def _named(self) -> str:
        self._skip()
        token = self._next()
        if token.sort is not Sort.STRING:
            raise self._error("the name of a template is expected, in quotes")
        return token.text

    def _call(self, line: int) -> Call:
        name = self._named()
        self._skip()
        pipeline = None if self._peek().sort is Sort.CLOSE else self._pipeline()
        self._close()
        return Call(name, pipeline, line)

    def _define(self) -> None:
        name = self._named()
        self._close()
        self._body(name)

    def _default_block(self, line: int) -> Call:
        name = self._named()
        pipeline = self._pipeline()
        self._close()
        self._body(name)
        return Call(name, pipeline, line)

    def _body(self, name: str) -> None:
        scopes, loops = self._scopes, self._loops
        self._scopes, self._loops = [{"$"}], 0
        nodes, ending = self._list()
        self._scopes, self._loops = scopes, loops
        if ending != "end":
            raise self._error(f"{{{{{ending}}}}} within the definition of {name!r}")
        self.definitions[name] = nodes

    # --- pipelines ------------------------------------------------------------------------------------------------

    def _pipeline(self, declare: bool = False, pair: bool = False) -> Pipeline:
        self._enter()
        self._skip()
        line = self._peek().line
        variables, declares = self._variables(pair) if declare else ((), False)
        commands = [self._command()]
        while self._accept(Sort.SYMBOL, "|"):
            commands.append(self._command())
            if isinstance(commands[-1].operands[0], Literal):
                raise self._error("a value cannot be piped into a constant")
        if declares:
            self._scopes[-1].update(variables)
        self._depth -= 1
        return Pipeline(tuple(commands), line, variables, declares)

    def _variables(self, pair: bool) -> tuple[tuple[str, ...], bool]:
        """The variables before `:=` or `=`, if there are."""
        start = self._place
        names: list[str] = []
        while (token := self._peek()).sort is Sort.VARIABLE:
            self._next()
            names.append(token.text)
            self._skip()
            sign = self._peek()
            if sign.sort is Sort.SYMBOL and sign.text in (":=", "="):
                self._next()
                if sign.text == "=":
                    for name in names:
                        self._known(name)
                return tuple(names), sign.text == ":="
            if not (sign.sort is Sort.SYMBOL and sign.text == ","):
                break
            if not pair or len(names) == 2:
                raise self._error("several variables are possible in {{range}} only, and two at most")
            self._next()
            self._skip()
        self._place = start
        return (), False

    def _command(self) -> Command:
        self._skip()
        line = self._peek().line
        operands = [self._operand()]
        while self._peek().sort is Sort.SPACE:
            self._skip()
            token = self._peek()
            if token.sort is Sort.CLOSE or (token.sort is Sort.SYMBOL and token.text in ("|", ")")):
                break
            operands.append(self._operand())
        token = self._peek()
        if token.sort is not Sort.CLOSE and not (token.sort is Sort.SYMBOL and token.text in ("|", ")")):
            raise self._error(f"{token.text!r} is not expected here")
        if len(operands) > 1 and isinstance(operands[0], (Literal, Pipeline, Dot)):
            raise self._error("a value that is not a function has no arguments")
        return Command(tuple(operands), line)

    def _operand(self) -> Operand:
        token = self._next()
        operand: Operand
        match token.sort:
            case Sort.STRING:
                operand = Literal(token.text)
            case Sort.NUMBER:
                operand = Literal(self._number(token.text))
            case Sort.DOT:
                operand = Dot()
            case Sort.FIELD:
                operand = Chain(Dot(), (token.text[1:],))
            case Sort.VARIABLE:
                self._known(token.text)
                operand = Variable(token.text)
            case Sort.WORD if token.text in _CONSTANTS:
                operand = Literal(_CONSTANTS[token.text])
            case Sort.WORD if token.text not in _KEYWORDS:
                operand = Function(token.text)
            case Sort.SYMBOL if token.text == "(":
                operand = self._pipeline()
                if not self._accept(Sort.SYMBOL, ")"):
                    raise self._error("a parenthesis is not closed")
            case _:
                raise self._error(f"{token.text!r} is not expected here; a value is")
        fields = []
        while self._peek().sort is Sort.FIELD:
            fields.append(self._next().text[1:])
        if not fields:
            return operand
        if isinstance(operand, Literal):
            raise self._error("constants have no fields")
        if isinstance(operand, Chain):
            return Chain(operand.of, (*operand.fields, *fields))
        return Chain(operand, tuple(fields))

    def _number(self, text: str) -> int | float:
        for convert in (lambda word: int(word, 0), float):
            try:
                return convert(text)
            except ValueError:
                continue
        raise self._error(f"{text!r} is not a number")

    def _known(self, name: str) -> None:
        if name not in self._scopes[-1]:
            raise self._error(f"there is no variable {name}")

    # --- tokens ---------------------------------------------------------------------------------------------------

    def _peek(self) -> Token:
        return self._tokens[self._place]

    def _next(self) -> Token:
        token = self._tokens[self._place]
        if token.sort is not Sort.END:
            self._place += 1
        return token

    def _skip(self) -> None:
        while self._peek().sort is Sort.SPACE:
            self._place += 1

    def _accept(self, sort: Sort, text: str) -> bool:
        start = self._place
        self._skip()
        if self._peek().sort is sort and self._peek().text == text:
            self._next()
            return True
        self._place = start
        return False

    def _close(self) -> None:
        self._skip()
        token = self._next()
        if token.sort is not Sort.CLOSE:
            raise self._error(f"{token.text!r} is not expected here; }}}} is")

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error("nested too deeply")

    def _error(self, message: str) -> TemplateError:
        return TemplateError(message, self._name, self._tokens[max(self._place - 1, 0)].line)
