"""The parser: every construct of the language gives its part of the tree, at its exact place; no input breaks it."""

from __future__ import annotations

import dataclasses
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradc import grammar
from gradc.compiler import tree
from gradc.compiler.source import ModelError, Source, Span, read_source
from gradc.compiler.syntax import parse

MODELS = sorted((Path(__file__).parent / "models").glob("*.model"))


def statements(text: str) -> tuple[tree.Statement, ...]:
    return parse(Source("test.model", text)).statements


def value(expression: str) -> Any:
    (statement,) = statements(f"y = {expression}\n")
    assert isinstance(statement, tree.Assignment)
    return statement.value


def shape(node: Any) -> str:
    """An expression with brackets around each of its operations."""
    match node:
        case tree.Number(text=text):
            return text
        case tree.Boolean(value=known):
            return str(known)
        case tree.Text(value=text):
            return f'"{text}"'
        case tree.Name(name=name):
            return name
        case tree.Unary(operator=operator, operand=operand):
            return f"({operator} {shape(operand)})"
        case tree.Binary(operator=operator, left=left, right=right):
            return f"({shape(left)} {operator} {shape(right)})"
        case tree.Conditional(condition=condition, yes=yes, no=no):
            return f"(if {shape(condition)} then {shape(yes)} else {shape(no)})"
        case tree.Pipe(argument=argument, function=function):
            return f"({shape(argument)} |> {shape(function)})"
        case tree.Call(function=function, arguments=arguments):
            given = [f"{a.name}={shape(a.value)}" if a.name else shape(a.value) for a in arguments]
            return f"{shape(function)}({', '.join(given)})"
        case tree.Subscript(value=inner, items=items):
            return f"{shape(inner)}[{', '.join(item(each) for each in items)}]"
    raise AssertionError(node)


def item(each: tree.SubscriptItem) -> str:
    match each:
        case tree.AxisName(name=name, length=length):
            return name if length is None else f"{name}: {length}"
        case tree.Rename(before=before, after=after):
            return f"({', '.join(map(item, before))}) -> ({', '.join(map(item, after))})"
        case tree.At(axis=axis, index=index):
            return f"{axis.name} = {shape(index)}"
        case tree.Slice(axis=axis, start=start, stop=stop, step=step):
            return f"{axis.name} = {':'.join('' if part is None else shape(part) for part in (start, stop, step))}"
        case tree.Taps(axis=axis, taps=taps):
            return f"{axis.name}: {taps.name}"
        case tree.Group(axes=axes):
            return f"({', '.join(map(item, axes))})"


# ------------------------------------------------------------------------------------------------------------- programs


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_the_programs_of_the_language(path: Path) -> None:
    model = parse(read_source(path))
    assert model.statements
    starts = [statement.span.start for statement in model.statements]
    assert starts == sorted(starts)


@pytest.mark.parametrize("library", grammar.LIBRARIES)
def test_the_library(library: str) -> None:
    assert parse(Source(library, grammar.text(f"{library}.model"))).statements


WHOLE = """\
use nn.Linear, nn.mse  # two names
axis t: 5, d, s like t, k: 10
batch n
input x[n, t, d], label[n]: k, flag[n]: bool, temperature
noise eps[n, d] ~ normal(0, 1)
const l2 = 1e-3, half = 1 / 2
param W[d, gate: 4, d'] ~ glorot(), b[k] = 0, s > 0 = 1, u <= 2 = 1, r in (-1, 1) = 0, free

def f(a) = a^2
def g[i](a[i], b[i],
         scale=2):
    c = a * b   # a comment
    return c, scale

layer Block[i, o]:

    param V[i, o] ~ he()
    inner = Linear[i, o]
    # between two
    def call(x[i]):
        h = x @ V
        return h
z = x[t = 0]
states, last = scan t with h = z, c = 0:
    q = h + c
    yield q, h
minimize judge = mean(z) over W, fc.*, fc.b
maximize mean(z)
output z, p = z + 1
metric acc = mean(z), z
"""


def test_every_statement() -> None:
    found = statements(WHOLE)
    kinds = [type(statement).__name__ for statement in found]
    assert kinds == (
        ["Use"] * 2 + ["AxisDeclaration"] * 4 + ["BatchAxis"] + ["Input"] * 4 + ["Noise"] + ["Constant"] * 2
        + ["Parameter"] * 6 + ["Definition"] * 2 + ["Layer", "Assignment", "Scan"] + ["Objective"] * 2
        + ["Output"] * 2 + ["Metric"] * 2
    )  # fmt: skip
    texts = [statement.span.text for statement in found]
    assert texts[2:6] == ["t: 5", "d", "s like t", "k: 10"]
    assert texts[14:20] == [
        "W[d, gate: 4, d'] ~ glorot()", "b[k] = 0", "s > 0 = 1", "u <= 2 = 1", "r in (-1, 1) = 0", "free"
    ]  # fmt: skip
    assert texts[-4:] == ["z", "p = z + 1", "acc = mean(z)", "z"]


def test_declarations() -> None:
    found: Any = statements(WHOLE)
    assert [(use.library, use.name) for use in found[:2]] == [("nn", "Linear"), ("nn", "mse")]
    assert [(axis.name, axis.length, axis.like) for axis in found[2:6]] == [
        ("t", 5, None), ("d", None, None), ("s", None, "t"), ("k", 10, None)
    ]  # fmt: skip
    assert found[6].axis.name == "n"
    assert [(i.name, [a.name for a in i.axes], i.type) for i in found[7:11]] == [
        ("x", ["n", "t", "d"], None), ("label", ["n"], "k"), ("flag", ["n"], "bool"), ("temperature", [], None)
    ]  # fmt: skip
    assert shape(found[11].distribution) == "normal(0, 1)"
    assert [(c.name, shape(c.value)) for c in found[12:14]] == [("l2", "1e-3"), ("half", "(1 / 2)")]


def test_parameters() -> None:
    found: Any = statements(WHOLE)[14:20]
    W, b, s, u, r, free = found
    assert [(axis.name, axis.length) for axis in W.axes] == [("d", None), ("gate", 4), ("d'", None)]
    assert W.drawn
    assert shape(W.initial) == "glorot()"
    assert not b.drawn
    assert (shape(s.lower), s.upper, shape(s.initial)) == ("0", None, "1")
    assert (u.lower, shape(u.upper)) == (None, "2")
    assert (shape(r.lower), shape(r.upper)) == ("(- 1)", "1")
    assert (free.lower, free.upper, free.initial, free.drawn) == (None, None, None, False)


def test_bodies() -> None:
    found: Any = statements(WHOLE)
    f, g, block, _, scan = found[20:25]
    assert isinstance(f.body[0], tree.Return)
    assert shape(f.body[0].values[0]) == "(a ^ 2)"
    assert [axis.name for axis in g.axes] == ["i"]
    assert [(p.name, [a.name for a in p.axes], p.default and shape(p.default)) for p in g.parameters] == [
        ("a", ["i"], None), ("b", ["i"], None), ("scale", [], "2")
    ]  # fmt: skip
    assert [shape(returned) for returned in g.body[1].values] == ["c", "scale"]
    assert [type(part).__name__ for part in block.body] == ["Parameter", "Assignment", "Definition"]
    assert [type(part).__name__ for part in block.body[2].body] == ["Assignment", "Return"]
    assert block.span.text == "layer Block[i, o]"
    assert scan.names == ("states", "last")
    assert scan.axis.name == "t"
    assert [(carry.name, shape(carry.initial)) for carry in scan.carries] == [("h", "z"), ("c", "0")]
    assert [shape(given) for given in scan.body[1].values] == ["q", "h"]


def test_states_updates_and_several_names() -> None:
    text = "state seen[k] = 0.5, count\nupdate seen = 2 * seen\na, b = f(x)\n"
    text += "layer Drop[n, *axes]:\n    noise u[*axes] ~ g()\n"
    seen, count, update, pair, layer = statements(text)
    assert isinstance(seen, tree.State)
    assert (seen.name, [axis.name for axis in seen.axes], seen.initial and shape(seen.initial)) == (
        "seen",
        ["k"],
        "0.5",
    )
    assert isinstance(count, tree.State)
    assert (count.axes, count.initial) == ((), None)
    assert isinstance(update, tree.Update)
    assert (update.state.name, shape(update.value), update.span.text) == (
        "seen",
        "(2 * seen)",
        "update seen = 2 * seen",
    )
    assert isinstance(pair, tree.Assignment)
    assert [name.name for name in pair.names] == ["a", "b"]
    assert isinstance(layer, tree.Layer)
    assert [(axis.name, axis.rest) for axis in layer.axes] == [("n", False), ("axes", True)]
    (noise,) = layer.body
    assert isinstance(noise, tree.Noise)
    assert [axis.rest for axis in noise.axes] == [True]


def test_objectives() -> None:
    first, second = (statement for statement in statements(WHOLE) if isinstance(statement, tree.Objective))
    assert (first.sense, first.name, shape(first.value)) == ("minimize", "judge", "mean(z)")
    assert first.over is not None
    assert [pattern.text for pattern in first.over] == ["W", "fc.*", "fc.b"]
    assert (second.sense, second.name, second.over) == ("maximize", None, None)


# ---------------------------------------------------------------------------------------------------------- expressions


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a + b - c", "((a + b) - c)"),
        ("a / b / c * d", "(((a / b) / c) * d)"),
        ("a + b * c", "(a + (b * c))"),
        ("a * b @ c", "((a * b) @ c)"),
        ("-x^2", "(- (x ^ 2))"),
        ("2^-1", "(2 ^ (- 1))"),
        ("2^-x^2", "(2 ^ (- (x ^ 2)))"),
        ("a^b^c", "(a ^ (b ^ c))"),
        ("a**b", "(a ^ b)"),
        ("--x", "(- (- x))"),
        ("-a * b", "((- a) * b)"),
        ("a * -b", "(a * (- b))"),
        ("a < b + 1", "(a < (b + 1))"),
        ("not a < b", "(not (a < b))"),
        ("not not a", "(not (not a))"),
        ("a and b or c and not d", "((a and b) or (c and (not d)))"),
        ("a or b or c", "((a or b) or c)"),
        ("(a == b) != c", "((a == b) != c)"),
        ("if a then b else c", "(if a then b else c)"),
        ("if a or b then c + 1 else d + 1", "(if (a or b) then (c + 1) else (d + 1))"),
        ("if a then b else if c then d else e", "(if a then b else (if c then d else e))"),
        ("if a then if b then c else d else e", "(if a then (if b then c else d) else e)"),
        ("x |> f |> g", "((x |> f) |> g)"),
        ("x + 1 |> f", "((x + 1) |> f)"),
        ("if a then b else c |> f", "((if a then b else c) |> f)"),
        ("x |> softmax[k]", "(x |> softmax[k])"),
        ("f(x)[t = 0]^2", "(f(x)[t = 0] ^ 2)"),
        ("fc.W * fc.inner.b", "(fc.W * fc.inner.b)"),
        ("sum[k](a * b)", "sum[k]((a * b))"),
        ("max(a, b)", "max(a, b)"),
        ("f()", "f()"),
        ("f(a, b,)", "f(a, b)"),
        ("window[h: r, w: s](x, stride=2, pad=\"same\")", 'window[h: r, w: s](x, stride=2, pad="same")'),
        ("flatten[(c, h, w) -> f](x)", "flatten[(c, h, w) -> (f)](x)"),
        ("split[f -> (h: 2, w)](x)", "split[(f) -> (h: 2, w)](x)"),
        ("zeros[n, m: 3]", "zeros[n, m: 3]"),
        ("sum[(a, b)](x)", "sum[(a, b)](x)"),
        ("x[d -> d']", "x[(d) -> (d')]"),
        ("x[d'' -> d, t = 0]", "x[(d'') -> (d), t = 0]"),
        ("x[t = -1]", "x[t = (- 1)]"),
        ("x[t = 1:]", "x[t = 1::]"),
        ("x[t = :-1]", "x[t = :(- 1):]"),
        ("x[t = :]", "x[t = ::]"),
        ("x[t = ::2]", "x[t = ::2]"),
        ("x[t = a + 1:b:c]", "x[t = (a + 1):b:c]"),
        ("E[vocab = token[t = 0]]", "E[vocab = token[t = 0]]"),
        ("Linear[d, k]", "Linear[d, k]"),
        ("1 + .5 + 2. + 1e-3 + 2.5E+4", "((((1 + .5) + 2.) + 1e-3) + 2.5E+4)"),
        ("true and false", "(True and False)"),
        ("μ_1 * Δx", "(μ_1 * Δx)"),
        ("(\n  a\n\n  # within\n + b\n)", "(a + b)"),
        ("((((a))))", "a"),
    ],
)  # fmt: skip
def test_expressions(written: str, meant: str) -> None:
    assert shape(value(written)) == meant


@pytest.mark.parametrize(
    "word",
    [
        "axis",
        "input",
        "noise",
        "batch",
        "over",
        "with",
        "like",
        "in",
        "scan",
        "use",
        "def",
        "state",
        "update",
        "training",
    ],
)
def test_a_keyword_is_a_name_where_it_does_no_harm(word: str) -> None:
    found: Any = statements(f"{word} = 0.1 * {word}\nparam {word} = 1\ny = f({word}=x)[{word} = 0] + {word}\n")
    assert [found[0].names[0].name, found[1].name, found[2].names[0].name] == [word, word, "y"]
    assert shape(found[2].value) == f"(f({word}=x)[{word} = 0] + {word})"


def test_line_ends_and_the_end_of_the_text() -> None:
    for text in (
        "a = 1\r\nb = (2 +\r\n 3)\r\n",
        "a = 1\nb = (2 +\n 3)",
        "\n\n# head\na = 1 # one\n  \n\t\nb = (2 + 3) # two",
    ):
        assert [shape(statement.value) for statement in statements(text)] == ["1", "(2 + 3)"]  # type: ignore[union-attr]
    for text in ("", "\n", "# only a comment", "   "):
        assert statements(text) == ()


def test_blocks_may_be_indented_by_tabs() -> None:
    (definition,) = statements("def f(x):\n\ty = x\n\n\treturn y\n")
    assert isinstance(definition, tree.Definition)
    assert len(definition.body) == 2


# --------------------------------------------------------------------------------------------------------------- places


def constructs(root: Any) -> list[Any]:
    """Every construct of the tree."""
    found, stack = [], [root]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple):
            stack += node
        elif dataclasses.is_dataclass(node) and not isinstance(node, Span):
            found.append(node)
            stack += [getattr(node, field.name) for field in dataclasses.fields(node) if field.name != "span"]
    return found


@pytest.mark.parametrize("text", [WHOLE, *(path.read_text(encoding="utf-8") for path in MODELS)])
def test_every_construct_stands_where_it_says(text: str) -> None:
    for node in constructs(parse(Source("test.model", text))):
        written = node.span.text
        match node:
            case tree.Number() | tree.Pattern():
                assert written.strip("()") == node.text
            case tree.Name() | tree.AxisName(length=None):
                assert written.strip("()") == node.name
            case tree.Assignment():
                assert [name.span.text for name in node.names] == [name.name for name in node.names]
                assert written.startswith(node.names[0].name)
            case tree.Binary() | tree.Call() | tree.Subscript() | tree.Pipe() | tree.Conditional() | tree.Unary():
                assert written.count("(") == written.count(")")
                assert written.count("[") == written.count("]")
                assert written == written.strip()
                assert shape(value(f"(\n{written}\n)")) == shape(node)


def test_brackets_belong_to_the_place() -> None:
    product = value("(a + b) * (c)")
    assert product.span.text == "(a + b) * (c)"
    assert product.left.span.text == "(a + b)"
    assert product.left.left.span.text == "a"
    assert (product.span.line, product.span.column) == (1, 5)


# --------------------------------------------------------------------------------------------------------------- limits


def code(text: str) -> str:
    started = time.process_time()
    with pytest.raises(ModelError) as caught:
        parse(Source("test.model", text))
    assert len(str(caught.value)) < 20_000
    # About one where nothing else runs; a core that is shared does half as much.
    assert time.process_time() - started < 8
    return caught.value.diagnostics[0].code


def test_a_sum_of_many_terms() -> None:
    node, terms = value(" + ".join(f"w{i} * x" for i in range(5000))), 1
    while isinstance(node, tree.Binary) and node.operator == "+":
        node, terms = node.left, terms + 1
    assert terms == 5000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y = " + "(" * 10_000 + "x" + ")" * 10_000, "E0502"),
        ("y = " + "(" * 400_000, "E0502"),
        ("y = " + "f(" * 10_000 + "x" + ")" * 10_000, "E0502"),
        ("y = " + "-" * 10_000 + "x", "E0502"),
        ("y = " + "2^" * 10_000 + "x", "E0502"),
        ("y = " + "not " * 10_000 + "x", "E0502"),
        ("y = " + "if a then b else " * 10_000 + "x", "E0502"),
        ("".join(" " * depth + "layer L:\n" for depth in range(1200)), "E0502"),
        ("y = " + "x + " * 100_000 + "x", "E0504"),
        ("x" * 1_000_001, "E0501"),
        ("y = " + "x" * 900_000, "E0503"),
        ("y = x" + ".x" * 400_000, "E0503"),
        ("y = x" + "'" * 900_000, "E0503"),
        ("y = " + "1" * 900_000, "E0503"),
        ("y = \"" + "x" * 900_000 + '"', "E0503"),
        ("y = \"a\n" * 100_000, "E0103"),
        ("$" * 900_000, "E0106"),
        ("$\n" * 400_000, "E0106"),
        ("x = = 1\n" * 100_000, "E0110"),
        ("layer L:\n" + "    x = = 1\n" * 40_000, "E0110"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}" * 900_000, "E0107"),
        ("y = f(\n" * 100_000, "E0502"),
    ],
    ids=range(22),
)  # fmt: skip
def test_too_much_is_refused_at_once(text: str, expected: str) -> None:
    assert code(text) == expected


def test_brackets_may_be_a_hundred_deep() -> None:
    assert shape(value("(" * 100 + "x" + ")" * 100)) == "x"


_ASCII = r"""
x d' fc.W fc.* 3 1e-3 "same" ( ) [ ] , : = == < + - * / @ ^ ~ |> -> . ' " # $ { axis input noise param const
output metric use batch def layer minimize return yield scan with over like in if then else and or not true
for dim
"""
WORDS = [*_ASCII.split(), "\n", "\n    ", "\n  ", "\t", "\r", "λ", "é", "\ufeff", "\u202e"]


def mistakes(source: Source) -> ModelError:
    """What a source is refused with; no mistakes where it is none."""
    try:
        parse(source)
    except ModelError as error:
        return error
    return ModelError()


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)))
def test_no_text_ends_in_a_traceback(text: str) -> None:
    source = Source("any.model", text)
    error = mistakes(source)
    assert len(error.diagnostics) <= 20
    for diagnostic in error.diagnostics:
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        assert diagnostic.span.source is source
    assert all(line.isprintable() for line in str(error).split("\n"))


def test_no_change_of_a_model_ends_in_a_traceback() -> None:
    chance = random.Random(1)
    texts = [WHOLE, *(path.read_text(encoding="utf-8") for path in MODELS)]
    for _ in range(300):
        changed = chance.choice(texts).split(" ")
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(changed))
            changed[place : place + chance.randrange(3)] = chance.choices(WORDS, k=chance.randrange(3))
        error = mistakes(Source("changed.model", " ".join(changed)))
        assert all(diagnostic.message for diagnostic in error.diagnostics)
