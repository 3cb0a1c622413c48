"""Syntax: from a Source to the syntax tree.

Takes the text of a model; gives a `tree.Model` with the exact place of each construct, or raises ModelError with every
mistake of form, for after each one the parser goes on with the next statement. Lark makes the LALR automaton from
`grammar/model.lark`; the functions here, one for each rule of the grammar, build the tree from the bottom up, so that
no input is deep enough to break a recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from lark import Lark
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer

from .. import grammar
from . import expected, tree
from .source import Diagnostic, Diagnostics, Source, Span, read_source
from .tokens import MOST_NESTED, Line, Token, lines

__all__ = ["parse", "read_source"]

_MOST_STATES = 1000  # of the automaton's stack: what unary signs, powers and `else if` may pile up without brackets


def parse(source: Source) -> tree.Model:
    """The syntax tree of a source. ModelError with the mistakes in its form, in the order of the text, at most 20."""
    mistakes = Diagnostics()
    signs = _language().signs
    found = lines(source, signs, mistakes)
    expected.habits(found, mistakes)
    statements: list[tree.Statement] = []
    for segment in _segments(found):
        if mistakes.full:
            break
        statements += _statement(segment, mistakes)
    mistakes.check()
    return tree.Model(Span(source, 0, len(source.text)), tuple(statements))


# ------------------------------------------------------------------------------------------------------------ automaton


class _NoLexer(Lexer):
    """Tokens are fed to the automaton one by one: Lark is given nothing to cut."""

    def __init__(self, configuration: object) -> None:
        pass

    def lex(self, *arguments: object) -> Iterator[Any]:
        return iter(())


class _Language(NamedTuple):
    automaton: Lark
    signs: dict[str, str]  # each word and sign of the grammar, and the name of its terminal


@cache
def _language() -> _Language:
    automaton = Lark(
        grammar.text("model.lark"),
        start="statement",
        parser="lalr",
        lexer=_NoLexer,
        keep_all_tokens=True,
        maybe_placeholders=False,
        transformer=SimpleNamespace(**_RULES),
    )
    signs = {terminal.pattern.value: terminal.name for terminal in automaton.terminals}
    return _Language(automaton, signs)


def _segments(found: Sequence[Line]) -> Iterator[list[Line]]:
    """The lines of each outermost statement."""
    segment: list[Line] = []
    for line in found:
        if line.depth == 0 and segment:
            yield segment
            segment = []
        segment.append(line)
    if segment:
        yield segment


def _statement(segment: list[Line], mistakes: Diagnostics) -> tuple[tree.Statement, ...]:
    """What one outermost statement declares. After a mistake, the rest of it is read without the line at fault."""
    good = _without_faulty(segment)
    while good and not mistakes.full:
        try:
            return _fed(good)
        except _Mistake as mistake:
            mistakes.add(mistake.diagnostic)
            at = mistake.diagnostic.span.start
            faulty = next((line for line in reversed(good) if line.tokens[0].span.start <= at), good[0])
            faulty.faulty = True
            good = _without_faulty(good)
    return ()


def _without_faulty(segment: Sequence[Line]) -> list[Line]:
    """The lines without those at fault, without the blocks under them, and without heads whose whole block is gone."""
    kept: list[Line] = []
    under: int | None = None
    for line in segment:
        if under is None or line.depth <= under:
            under = line.depth if line.faulty else None
            if under is None:
                kept.append(line)
    whole: list[Line] = []
    for line in reversed(kept):
        if not line.opens or (whole and whole[-1].depth > line.depth):
            whole.append(line)
    return whole[::-1]


def _fed(segment: Sequence[Line]) -> tuple[tree.Statement, ...]:
    """The result of the automaton on the tokens of one outermost statement. _Mistake where they do not fit."""
    machine = _language().automaton.parse_interactive()
    fed: list[Token] = []
    for line, token in _stream(segment):
        try:
            machine.feed_token(token)  # type: ignore[arg-type]
        except UnexpectedToken:
            raise _Mistake(expected.diagnosis(line, token, _accepted(fed), _language().signs)) from None
        if len(machine.parser_state.state_stack) > _MOST_STATES:
            raise _nested(token.span)
        fed.append(token)
    result: tuple[tree.Statement, ...] = machine.feed_token(Token("$END", "", fed[-1].span))  # type: ignore[arg-type]
    return result


def _stream(segment: Sequence[Line]) -> Iterator[tuple[Line, Token]]:
    """The tokens of the lines, and those of their ends and of the blocks."""
    depth = 0
    for line in segment:
        end = line.tokens[-1].span
        place = Span(end.source, end.end, end.end)
        for _ in range(abs(line.depth - depth)):
            yield line, Token("INDENT" if line.depth > depth else "DEDENT", "", place)
        depth = line.depth
        for token in line.tokens:
            yield line, token
        yield line, Token("NEWLINE", "", place)
    for _ in range(depth):
        yield line, Token("DEDENT", "", place)


def _accepted(fed: Sequence[Token]) -> set[str]:
    """The terminals that may follow. A token that does not fit has moved its automaton, so a fresh one tells."""
    machine = _language().automaton.parse_interactive()
    for token in fed:
        machine.feed_token(token)  # type: ignore[arg-type]
    accepted: set[str] = machine.accepts()  # type: ignore[no-untyped-call]
    return accepted


# ---------------------------------------------------------------------------------------------------------------- rules


class _Mistake(Exception):
    """A mistake that a rule, or the automaton, has met."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def _nested(place: Span) -> _Mistake:
    message = "this expression is nested too deeply"
    return _Mistake(Diagnostic("E0502", message, place, help="give its parts names of their own"))


class _Part(NamedTuple):
    """What a rule gives that is no construct of the tree by itself."""

    span: Span
    value: Any


Children = list[Any]  # of one rule: tokens, constructs and parts, in the order of the text
_RULES: dict[str, Callable[[Children], Any]] = {}


def _rule(build: Callable[[Children], Any]) -> Callable[[Children], Any]:
    """Enter a function as the builder of the rule that has its name."""
    _RULES[build.__name__.strip("_")] = build
    return build


def _from(first: Any, last: Any) -> Span:
    return Span(first.span.source, first.span.start, last.span.end)


def _whole(children: Children) -> Span:
    return _from(children[0], children[-1])


def _after(children: Children, *marks: str) -> Any:
    """What follows the first of the marks; None where there is none."""
    for position, child in enumerate(children):
        if isinstance(child, Token) and child.text in marks:
            return children[position + 1]
    return None


def _all(children: Children) -> tuple[Any, ...]:
    """The children that are no tokens."""
    return tuple(child for child in children if not isinstance(child, Token))


def _axes(children: Children) -> tuple[tree.AxisName, ...]:
    """The axes in the brackets behind a name, none where there are no brackets."""
    return next((child.value for child in children if isinstance(child, _Part) and isinstance(child.value, tuple)), ())


def _length(token: Token | None) -> int | None:
    if token is None:
        return None
    if not token.text.isdecimal():
        raise _Mistake(Diagnostic("E0113", "the length of an axis is a whole number", token.span, help="write 10"))
    return int(token.text)


# --- statements


@_rule
def statement(children: Children) -> tuple[tree.Statement, ...]:
    found = children[0]
    return found.value if isinstance(found, _Part) else (found,)


@_rule
def items(children: Children) -> _Part:
    return _Part(_whole(children), _all(children))


@_rule
def axis_item(children: Children) -> tree.AxisDeclaration:
    like = _after(children, "like")
    length = _length(_after(children, ":"))
    return tree.AxisDeclaration(_whole(children), children[0].text, length, like.name if like else None)


@_rule
def input_item(children: Children) -> tree.Input:
    type = _after(children, ":")
    return tree.Input(_whole(children), children[0].text, _axes(children), type.text if type else None)


@_rule
def noise_item(children: Children) -> tree.Noise:
    drawn = children[-1]
    if not isinstance(drawn, tree.Call):
        raise _Mistake(Diagnostic("E0112", "noise is drawn from a distribution", drawn.span, help="write normal(0, 1)"))
    return tree.Noise(_whole(children), children[0].text, _axes(children), drawn)


class _Bound(NamedTuple):
    span: Span
    lower: tree.Expression | None
    upper: tree.Expression | None


@_rule
def bound(children: Children) -> _Bound:
    span = _whole(children)
    if children[0].text == "in":
        return _Bound(span, children[2], children[4])
    return _Bound(span, children[1], None) if ">" in children[0].text else _Bound(span, None, children[1])


@_rule
def param_item(children: Children) -> tree.Parameter:
    limits = next((child for child in children if isinstance(child, _Bound)), None)
    lower, upper = (limits.lower, limits.upper) if limits else (None, None)
    drawn, given = _after(children, "~"), _after(children, "~", "=")
    name = children[0].text
    return tree.Parameter(_whole(children), name, _axes(children), lower, upper, given, drawn is not None)


@_rule
def state_item(children: Children) -> tree.State:
    return tree.State(_whole(children), children[0].text, _axes(children), _after(children, "="))


@_rule
def const_item(children: Children) -> tree.Constant:
    return tree.Constant(_whole(children), children[0].text, children[2])


@_rule
def output_item(children: Children) -> tree.Output:
    return tree.Output(_whole(children), children[0].text, _after(children, "="))


@_rule
def metric_item(children: Children) -> tree.Metric:
    return tree.Metric(_whole(children), children[0].text, _after(children, "="))


@_rule
def use_item(children: Children) -> tree.Use:
    library, *names = children[0].text.split(".")
    if len(names) != 1:
        raise _Mistake(
            Diagnostic("E0112", "`use` takes a library and one name of it", children[0].span, help="write nn.Linear")
        )
    return tree.Use(_whole(children), library, names[0])


@_rule
def batch(children: Children) -> tree.BatchAxis:
    return tree.BatchAxis(_whole(children), children[1])


@_rule
def assignment(children: Children) -> tree.Assignment:
    names, _, value = children
    return tree.Assignment(_whole(children), names.value, value)


@_rule
def names(children: Children) -> _Part:
    found = tuple(tree.Name(child.span, child.text) for child in children if child.type == "NAME")
    return _Part(_whole(children), found)


@_rule
def objective(children: Children) -> tree.Objective:
    name = children[1].text if isinstance(children[1], Token) else None
    value = children[1] if name is None else children[3]
    over = tuple(child for child in children if isinstance(child, tree.Pattern)) or None
    return tree.Objective(_whole(children), children[0].text, name, value, over)


@_rule
def pattern(children: Children) -> tree.Pattern:
    return tree.Pattern(_whole(children), children[0].text)


@_rule
def update(children: Children) -> tree.Update:
    state = tree.Name(children[1].span, children[1].text)
    return tree.Update(_whole(children), state, children[3])


@_rule
def return_(children: Children) -> tree.Return:
    return tree.Return(_whole(children), _all(children))


@_rule
def yield_(children: Children) -> tree.Yield:
    return tree.Yield(_whole(children), _all(children))


# --- statements with a body; their span is that of the head


@_rule
def head(children: Children) -> _Part:
    formals = tuple(child for child in children if isinstance(child, tree.FormalParameter))
    return _Part(_whole(children), (children[1].text, _axes(children), formals))


@_rule
def formal(children: Children) -> tree.FormalParameter:
    return tree.FormalParameter(_whole(children), children[0].text, _axes(children), _after(children, "="))


@_rule
def short_definition(children: Children) -> tree.Definition:
    (name, axes, formals), value = children[0].value, children[2]
    return tree.Definition(_whole(children), name, axes, formals, (tree.Return(value.span, (value,)),))


@_rule
def definition(children: Children) -> tree.Definition:
    name, axes, formals = children[0].value
    return tree.Definition(children[0].span, name, axes, formals, children[2])


@_rule
def layer(children: Children) -> tree.Layer:
    return tree.Layer(_whole(children[:-2]), children[1].text, _axes(children), children[-1])


@_rule
def scan(children: Children) -> tree.Scan:
    names, axis = tuple(name.name for name in children[0].value), children[3]
    carries = tuple(child for child in children if isinstance(child, tree.Carry))
    return tree.Scan(_whole(children[:-2]), names, axis, carries, children[-1])


@_rule
def carry(children: Children) -> tree.Carry:
    return tree.Carry(_whole(children), children[0].text, children[2])


@_rule
def block(children: Children) -> tuple[tree.Statement, ...]:
    return tuple(statement for child in children if not isinstance(child, Token) for statement in child)


# --- axes


@_rule
def axes(children: Children) -> _Part:
    return _Part(_whole(children), _all(children))


@_rule
def sized(children: Children) -> tree.AxisName:
    if children[0].text == "*":
        return tree.AxisName(_whole(children), children[1].text, rest=True)
    return tree.AxisName(_whole(children), children[0].text, _length(_after(children, ":")))


@_rule
def axis(children: Children) -> tree.AxisName:
    return tree.AxisName(_whole(children), children[0].text)


@_rule
def group(children: Children) -> tree.Group:
    return tree.Group(_whole(children), _all(children))


@_rule
def taps(children: Children) -> tree.Taps:
    return tree.Taps(_whole(children), axis(children[:1]), children[2])


@_rule
def value_name(children: Children) -> tree.ValueName:
    return tree.ValueName(_whole(children), children[0].text)


@_rule
def rename(children: Children) -> tree.Rename:
    before, after = (child.axes if isinstance(child, tree.Group) else (child,) for child in _all(children))
    return tree.Rename(_whole(children), before, after)


@_rule
def at(children: Children) -> tree.At:
    return tree.At(_whole(children), children[0], children[2])


@_rule
def slice_(children: Children) -> tree.Slice:
    axis, _, start, _, stop, *step = children
    last = next(child for child in reversed(children) if child is not None)
    return tree.Slice(_from(axis, last), axis, start, stop, step[1] if step else None)


@_rule
def stop(children: Children) -> tree.Expression | None:
    return children[0] if children else None


# --- expressions


@_rule
def pipe(children: Children) -> tree.Pipe:
    argument, _, function = children
    _check_depth(argument, function.span)
    return tree.Pipe(_whole(children), argument, function)


def _check_depth(expression: tree.Expression, place: Span) -> None:
    """_Mistake where as much is applied in a row, as in x |> f |> g or x[...][...], as brackets may be deep."""
    for _ in range(MOST_NESTED):
        match expression:
            case tree.Pipe(argument=inner) | tree.Subscript(value=inner) | tree.Call(function=inner):
                expression = inner
            case _:
                return
    raise _nested(place)


@_rule
def conditional(children: Children) -> tree.Conditional:
    return tree.Conditional(_whole(children), *_all(children))


@_rule
def binary(children: Children) -> tree.Binary:
    left, operator, right = children
    return tree.Binary(_whole(children), "^" if operator.text == "**" else operator.text, left, right)


@_rule
def unary(children: Children) -> tree.Unary:
    return tree.Unary(_whole(children), children[0].text, children[1])


@_rule
def call(children: Children) -> tree.Call:
    function = children[0]
    _check_depth(function, children[1].span)
    arguments = tuple(child for child in children[1:] if isinstance(child, tree.Argument))
    return tree.Call(_whole(children), function, arguments)


@_rule
def argument(children: Children) -> tree.Argument:
    name = children[0].text if len(children) == 3 else None
    return tree.Argument(_whole(children), name, children[-1])


@_rule
def subscript(children: Children) -> tree.Subscript:
    _check_depth(children[0], children[1].span)
    return tree.Subscript(_whole(children), children[0], _all(children[1:]))


@_rule
def name(children: Children) -> tree.Name:
    return tree.Name(_whole(children), children[0].text)


@_rule
def number(children: Children) -> tree.Number:
    return tree.Number(_whole(children), children[0].text)


@_rule
def text(children: Children) -> tree.Text:
    return tree.Text(_whole(children), children[0].text[1:-1])


@_rule
def boolean(children: Children) -> tree.Boolean:
    return tree.Boolean(_whole(children), children[0].text == "true")


@_rule
def parentheses(children: Children) -> tree.Expression:
    # The brackets belong to the place of what they hold: a caret under `(a + b) * c` begins at the bracket.
    inner: tree.Expression = children[1]
    values = {field: getattr(inner, field) for field in inner.__slots__}
    return type(inner)(**{**values, "span": _whole(children)})
