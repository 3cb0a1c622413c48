"""What was expected: from a word that does not fit to a sentence that a person understands.

Takes the line, the token at which the automaton stopped and the terminals that it would have taken; gives a Diagnostic.
The rules stand in a table, the most particular first; the last one says what the grammar allows. A few habits from
other languages fit the grammar and are still mistakes of form: `habits` finds those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .source import Diagnostic, Diagnostics, Note, nearest, visible
from .tokens import RESERVED, STARTERS, Line, Token

_OPERANDS = frozenset({"NAME", "PRIMED", "DOTTED", "STARRED", "NUMBER", "STRING", "TRUE", "FALSE"})
_BEGIN_OPERAND = _OPERANDS | {"LPAR"}
_END_OPERAND = _OPERANDS | {"RPAR", "RSQB"}
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_OPERATORS = ("|>", "or", "and", *_COMPARISONS, "+", "-", "*", "/", "@", "^", "**")

# What each statement looks like.
_FORMS = {
    "axis": "axis d, k: 10",
    "input": "input x[n, d], y[n]",
    "noise": "noise eps[n, z] ~ normal(0, 1)",
    "param": "param W[d, k] ~ glorot(), b = 0",
    "state": "state running[k] = 0",
    "update": "update running = 0.9 * running + 0.1 * mean[n](x)",
    "const": "const l2 = 1e-3",
    "output": "output p = sigmoid(z)",
    "metric": "metric accuracy = mean(p == y)",
    "use": "use nn.Linear, nn.mse",
    "batch": "batch n",
    "def": "def f(x) = x^2",
    "layer": "layer Linear[i, o]:",
    "scan": "states = scan t with h = h0:",
    "minimize": "minimize mean((p - y)^2)",
    "maximize": "maximize mean(log_p)",
    "return": "return x",
    "yield": "yield h",
}

# Words with which statements of other languages begin.
_FOREIGN = {
    "for": "there are no loops: operations act on whole axes, and scan goes along one",
    "while": "there are no loops: operations act on whole axes, and scan goes along one",
    "class": "write: layer Linear[i, o]:",
    "import": "write: use nn.Linear",
    "from": "write: use nn.Linear",
    "lambda": "write: def f(x) = x^2",
    "function": "write: def f(x) = x^2",
    "func": "write: def f(x) = x^2",
    "fn": "write: def f(x) = x^2",
    "let": "write the name alone: z = w * x",
    "var": "write the name alone: z = w * x",
    "val": "write the name alone: z = w * x",
    "print": "write: metric name = value",
    "assert": "bounds stand in param, as in: param s > 0 = 1",
    "elif": "write: if condition then a else if other then b else c",
    "parameter": "write: param w = 0",
    "parameters": "write: param w = 0",
    "data": "write: input x[n]",
    "loss": "write: minimize mean((p - y)^2)",
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the automaton stopped."""

    line: Sequence[Token]
    at: int  # the position of `token` in the line; the length of the line where that ended too early
    token: Token
    accepted: frozenset[str]  # words and signs as written, and the terminals that have none
    opener: Token | None  # the innermost bracket that is open here
    called: Token | None  # what stands before that bracket, if it is an operand

    @property
    def before(self) -> Token | None:
        return self.line[self.at - 1] if self.at else None

    @property
    def ended(self) -> bool:
        return self.token.type == "NEWLINE"

    @property
    def at_operand(self) -> bool:
        """Whether an expression could begin here."""
        return {"NUMBER", "("} <= self.accepted

    def first_is(self, *types: str) -> bool:
        return self.at > 0 and self.line[0].type in types


Rule = Callable[[_Place], Diagnostic | None]
_RULES: list[Rule] = []


def diagnosis(line: Line, token: Token, accepted: Iterable[str], signs: Mapping[str, str]) -> Diagnostic:
    """What to say where `token` does not fit and one of the `accepted` terminals was expected."""
    words = {terminal: word for word, terminal in signs.items()}
    at = next((at for at, other in enumerate(line.tokens) if other is token), len(line.tokens))
    opener, called = None, None
    stack: list[int] = []
    for position, other in enumerate(line.tokens[:at]):
        if other.text in ("(", "["):
            stack.append(position)
        elif other.text in (")", "]") and stack:
            stack.pop()
    if stack:
        opener = line.tokens[stack[-1]]
        earlier = line.tokens[stack[-1] - 1] if stack[-1] else None
        called = earlier if earlier is not None and earlier.type in _END_OPERAND else None
    given = frozenset(words.get(terminal, terminal) for terminal in accepted)
    place = _Place(line.tokens, at, token, given, opener, called)
    return next(found for rule in _RULES if (found := rule(place)) is not None)


def habits(found: Iterable[Line], mistakes: Diagnostics) -> None:
    """Tell what fits the grammar and can only come from another language, and mark its line: `dim=-1`, `True`."""
    lines = list(found)
    arguments = {token.text for line in lines if line.tokens[0].type == "DEF" for token in line.tokens}
    for line in lines:
        for at, token in enumerate(line.tokens):
            if line.faulty or mistakes.full:
                break
            diagnostic = _numbered_axis(line.tokens, at) if token.text not in arguments else None
            if token.type == "NAME" and token.text in ("True", "False"):
                message, help = f"`{token.text}` is spelt with a small letter", f"write {token.text.lower()}"
                diagnostic = Diagnostic("E0110", message, token.span, help=help)
            if diagnostic is not None:
                mistakes.add(diagnostic)
                line.faulty = True


def _numbered_axis(line: Sequence[Token], at: int) -> Diagnostic | None:
    word = line[at].text
    if word not in ("dim", "dims", "axis", "axes", "keepdim", "keepdims") or at < 2 or at + 2 >= len(line):
        return None
    if line[at + 1].type != "EQUAL" or line[at - 1].text not in ("(", ",") or line[at + 2].text in ("(", "["):
        return None
    if word.startswith("keepdim"):
        help = "axes are aligned by name, so none needs to be kept"
        return Diagnostic("E0110", f"there is no `{word}`", line[at].span, help=help)
    if line[at + 2].type not in ("NUMBER", "MINUS"):
        return None
    nested = 0
    for position in range(at - 1, 0, -1):
        nested += (line[position].text in (")", "]")) - (line[position].text in ("(", "["))
        if nested < 0:
            name = line[position - 1].text if line[position - 1].type in ("NAME", "DOTTED") else "sum"
            return Diagnostic(
                "E0110", "axes have names, not numbers", line[at].span, help=f"name it in brackets: {name}[k](x)"
            )
    return None


# ---------------------------------------------------------------------------------------------------------- the rules


def _rule(rule: Rule) -> Rule:
    _RULES.append(rule)
    return rule


@_rule
def _first_word(place: _Place) -> Diagnostic | None:
    if place.at == 0 and place.token.text in ("if", "else"):
        help = "write: y = if condition then a else b"
        return Diagnostic("E0110", f"no statement begins with `{place.token.text}`", place.token.span, help=help)
    if place.at == 0 and place.token.type in ("STRING", "LSQB"):
        help = "comments begin with #" if place.token.type == "STRING" else "write: name = expression"
        return Diagnostic("E0110", f"no statement begins with `{place.token.text[0]}`", place.token.span, help=help)
    if place.at != 1 or place.line[0].type != "NAME":
        return None
    word, span = place.line[0].text, place.line[0].span
    if word in STARTERS:
        return Diagnostic("E0110", f"a name follows `{word}`", place.token.span, help=f"write: {_FORMS[word]}")
    if word in _FOREIGN:
        return Diagnostic("E0110", f"no statement begins with `{word}`", span, help=_FOREIGN[word])
    if place.token.type in _BEGIN_OPERAND | {"MINUS"} and (near := nearest(word, _FORMS)) and near != "scan":
        return Diagnostic("E0110", f"no statement begins with `{word}`", span, help=f"did you mean `{near}`?")
    return None


@_rule
def _left_of_equals(place: _Place) -> Diagnostic | None:
    """`w * x = y`, `f(x) = x^2`, `fc.W = 1`, `x[n] = y`."""
    if place.at > 1 or place.line[0].type not in ("NAME", "DOTTED", "PRIMED", "NUMBER", "LPAR", "MINUS"):
        return None
    nested, equals = 0, None
    for token in place.line:
        nested += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if token.type == "EQUAL" and nested == 0:
            equals = token
            break
    if equals is None:
        help = "write: y = expression, or minimize it"
        first = place.line[0].text
        if place.ended:
            return Diagnostic("E0110", f"expected `=` behind `{first}`", place.token.span, help=f"write: {first} = 0")
        if place.token.type in _BEGIN_OPERAND and place.token.type != "LPAR":
            return Diagnostic("E0110", f"no statement begins with `{first}`", place.line[0].span, help=help)
        return Diagnostic("E0110", "an expression by itself does nothing", place.line[0].span, help=help)
    help = "write: y = expression; the axes of y follow from it" if place.token.text == "[" else "write: y = expression"
    if place.token.text == "(" and place.at == 1:
        help = f"write: def {place.line[0].text}(x) = x^2"
    return Diagnostic("E0110", "on the left of `=` stands a name, and nothing else", place.token.span, help=help)


@_rule
def _word_of_the_language(place: _Place) -> Diagnostic | None:
    word = place.token.text
    if word not in RESERVED or "NAME" not in place.accepted or (place.at_operand and word not in _FORMS):
        return None
    return Diagnostic("E0123", f"`{place.token.text}` is a word of the language, and not a name", place.token.span)


@_rule
def _equals(place: _Place) -> Diagnostic | None:
    if place.token.type != "EQUAL" or "==" not in place.accepted:
        return None
    if place.opener is None:
        help = "to compare, write ==; each name is defined on a line of its own"
        return Diagnostic("E0109", "a second `=` in one definition", place.token.span, help=help)
    return Diagnostic("E0109", "`=` defines, `==` compares", place.token.span, help="write ==")


@_rule
def _chained(place: _Place) -> Diagnostic | None:
    if place.token.text not in _COMPARISONS or place.before is None or place.before.type not in _END_OPERAND:
        return None
    if place.first_is("PARAM") and place.opener is None:
        return Diagnostic(
            "E0108", "a parameter has one bound, or two: in (0, 1)", place.token.span, help="write in (0, 1)"
        )
    if (
        place.called is not None
        and place.called.type != "RPAR"
        and place.opener is not None
        and place.opener.text == "["
    ):
        return Diagnostic("E0109", "a position is chosen with `=`", place.token.span, help="write x[t = 0]")
    if "+" not in place.accepted:
        return None
    return Diagnostic("E0108", "comparisons do not chain", place.token.span, help="write a < b and b < c")


@_rule
def _condition(place: _Place) -> Diagnostic | None:
    token, before = place.token, place.before
    form = "if condition then a else b"
    if token.type == "IF" and before is not None and before.type in _END_OPERAND:
        return Diagnostic("E0110", "the condition stands first", token.span, help=f"write: {form}")
    if token.type in ("IF", "NOT") and place.at_operand:
        word = token.text
        return Diagnostic(
            "E0110", f"`{word}` is looser than what stands before it", token.span, help="put it in brackets"
        )
    if "then" in place.accepted:
        return _found(place, "expected `then` behind the condition", f"write: {form}")
    if "else" in place.accepted and (place.ended or token.text in (")", "]", ",", ":")):
        return _found(place, "expected `else`", f"both branches have a value: {form}")
    return None


@_rule
def _function(place: _Place) -> Diagnostic | None:
    token, before = place.token, place.before
    if before is not None and before.text == "lambda":
        return Diagnostic("E0110", "functions have names", before.span, help="write: def f(x) = x^2")
    if before is not None and before.text == "scan" and place.line[0].type == "NAME":
        return Diagnostic("E0110", "a scan carries values along its axis", before.span, help=f"write: {_FORMS['scan']}")
    if token.text == "for" and before is not None and before.type in _END_OPERAND:
        help = "operations act on whole axes: sum[k](x), index[k]"
        return Diagnostic("E0110", "there are no loops in an expression", token.span, help=help)
    if before is not None and before.type == "COLON" and place.accepted == {"NEWLINE"}:
        help = "write: def f(x) = x^2" if place.line[0].type == "DEF" else "put it on the next line, indented"
        return Diagnostic("E0105", "a block begins on the next line", token.span, help=help)
    if not place.first_is("DEF"):
        if place.ended and ":" in place.accepted and (place.first_is("LAYER") or "with" in _words(place)):
            return Diagnostic("E0105", "expected `:` at the end of this line", token.span, help="and a block below it")
        return None
    if token.text == ":" and place.opener is not None and place.opener.text == "(":
        return Diagnostic("E0110", "arguments have axes, not types", token.span, help="write: def f(x[n]) = x^2")
    if {"=", ":"} <= place.accepted and place.opener is None and "(" not in place.accepted:
        return _found(place, "expected `=` or `:` behind the arguments", "write: def f(x) = x^2, or : and a block")
    return None


@_rule
def _subscript(place: _Place) -> Diagnostic | None:
    if place.opener is None or place.opener.text != "[" or place.before is None:
        return None
    token, before = place.token, place.before
    name = place.called.text if place.called is not None and place.called.type != "RPAR" else "x"
    if token.type == "DOTTED" and "NAME" in place.accepted:
        return Diagnostic("E0111", "the name of an axis has no dot", token.span)
    if place.ended:
        return None
    begins = before is place.opener or before.type == "COMMA"
    if begins and token.type in ("NUMBER", "MINUS", "COLON", "STRING", "TRUE", "FALSE"):
        if place.first_is("AXIS", "INPUT", "NOISE", "PARAM", "LAYER", "DEF") and "=" not in _words(place):
            help = "an axis has a name, and may have its length behind it: [d: 3]"
            return Diagnostic("E0111", "brackets hold the names of axes", token.span, help=help)
        item = _item(place, token)
        help = (
            f"write {name}[t = {item}], where t is the axis" if item != ":" else "an axis that is kept is not written"
        )
        return Diagnostic("E0111", "brackets name the axis first", token.span, help=help)
    if before.type in ("NAME", "PRIMED") and token.text in ("+", "-", "*", "/", "(", "["):
        help = f"write {name}[t = {_item(place, before)}], where t is the axis"
        return Diagnostic("E0111", "brackets name the axis first", before.span, help=help)
    return None


def _item(place: _Place, first: Token) -> str:
    """What is written from `first` to the next comma or to the end of its brackets."""
    nested, last = 0, first
    for token in place.line[place.line.index(first) :]:
        nested += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if nested < 0 or (nested == 0 and token.type == "COMMA"):
            break
        last = token
    return " ".join(first.span.source.text[first.span.start : last.span.end].split())[:40]


@_rule
def _list(place: _Place) -> Diagnostic | None:
    if place.token.type != "LSQB" or not place.at_operand:
        return None
    help = "name an input or a parameter with an axis: param c[k] = 0"
    return Diagnostic("E0110", "there are no lists of values", place.token.span, help=help)


@_rule
def _bounds(place: _Place) -> Diagnostic | None:
    if not place.first_is("PARAM") or place.before is None or place.before.type != "IN":
        return None
    return _found(place, "expected `(`", "bounds are open: write in (0, 1)")


@_rule
def _tuple(place: _Place) -> Diagnostic | None:
    if place.token.type != "COMMA" or place.opener is None or place.opener.text != "(" or place.called is not None:
        return None
    if "+" not in place.accepted:
        return None
    help = "give each value a name; after return and yield, write them without brackets"
    return Diagnostic("E0110", "a pair is no value", place.token.span, help=help)


@_rule
def _signs(place: _Place) -> Diagnostic | None:
    token, before = place.token, place.before
    starred = token if token.type == "STARRED" else before
    if starred is not None and starred.type == "STARRED" and "STARRED" not in place.accepted:
        name = starred.text.removesuffix(".*")
        help = f"write {name} * ..., which multiplies position by position"
        return Diagnostic("E0110", "`.*` names the parameters of a layer behind over", starred.span, help=help)
    if token.type == "PLUS" and place.at_operand:
        return Diagnostic("E0110", "a number has no sign but `-`", token.span, help="take it out")
    if token.type == "PRIMED" and ("NAME" in place.accepted or place.at_operand):
        help = "rename the axis instead: x[d -> d']"
        return Diagnostic("E0110", "a prime makes a second copy of an axis, not of a value", token.span, help=help)
    return None


@_rule
def _side_by_side(place: _Place) -> Diagnostic | None:
    """`2 x`, `a b`, `(a) b`: two operands with nothing between them."""
    token, before = place.token, place.before
    if before is None or before.type not in _END_OPERAND or token.type not in _BEGIN_OPERAND:
        return None
    if "+" not in place.accepted:
        return None
    if token.type == "STRING" or before.type == "STRING":
        return Diagnostic("E0110", "expected an operator before this", token.span, help="comments begin with #")
    left, right = ("..." if end.text in "()[]" else end.text for end in (before, token))
    return _found(place, "expected an operator", f"to multiply, write {left} * {right}")


@_rule
def _anything(place: _Place) -> Diagnostic:
    help = None
    first = place.line[0]
    if place.opener is None and first.type not in _OPERANDS:
        help = f"write: {_FORMS[first.text]}" if first.text in _FORMS else None
    closer = {"(": ")", "[": "]"}[place.opener.text] if place.opener is not None else ""
    if closer and closer in place.accepted and place.opener is not None and not place.at_operand:
        notes = (Note(place.opener.span, f"the `{place.opener.text}` opened here"),)
        message = f"expected `{closer}`" if "," not in place.accepted else f"expected `,` or `{closer}`"
        return _found(place, message, help, notes)
    return _found(place, f"expected {_listed(place)}", help)


def _words(place: _Place) -> set[str]:
    return {token.text for token in place.line[: place.at]}


def _found(place: _Place, message: str, help: str | None, notes: tuple[Note, ...] = ()) -> Diagnostic:
    """A message with what stands there instead."""
    found = "and the line ends" if place.ended else f"found `{visible(place.token.text)}`"
    return Diagnostic("E0110", f"{message}, {found}", place.token.span, (), help, notes)


def _listed(place: _Place) -> str:
    """`an expression`, `a name or `,``: what is accepted, in words."""
    accepted = set(place.accepted) - {"scan"}
    listed = []
    if place.at_operand:
        listed.append("an expression")
        accepted -= _OPERANDS | {"(", "-", "not", "if", "true", "false"}
    elif "+" in accepted:
        listed.append("an operator")
        accepted -= {*_OPERATORS, "(", "["}
    elif {"NAME", "PRIMED"} <= accepted:
        listed.append("the name of an axis")
    elif "STARRED" in accepted:
        listed.append("the name of a parameter, or fc.* for those of a layer")
    elif "NAME" in accepted:
        listed.append("a name")
    elif "DOTTED" in accepted:
        listed.append("a name of a library, as nn.Linear")
    elif "NUMBER" in accepted:
        listed.append("a number")
    listed += [f"`{word}`" for word in sorted(accepted) if not word.isupper() and not word.startswith("$")]
    if "NEWLINE" in accepted and len(listed) < 4:
        listed.append("the end of the line")
    if len(listed) > 5:
        listed = listed[:5]
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}" if listed else "nothing more"
