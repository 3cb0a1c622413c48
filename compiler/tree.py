"""The syntax tree: what `syntax` gives and `elaborate` takes.

Plain dataclasses, one per construct of the language, each with the span of source it was written at. Nothing here knows
what a name means: that is decided in `elaborate`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .source import Span

# ---------------------------------------------------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Number:
    """A literal. `text` is as written; its value is exact until it is emitted."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Boolean:
    span: Span
    value: bool


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted word, such as the `"same"` of a window's padding."""

    span: Span
    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name, dotted where it reaches into a layer: `x`, `fc.W`."""

    span: Span
    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    span: Span
    operator: str  # "-", "not"
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    span: Span
    operator: str  # + - * / ^ @ == != < <= > >= and or
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Conditional:
    """`if condition then yes else no`."""

    span: Span
    condition: Expression
    yes: Expression
    no: Expression


@dataclass(frozen=True, slots=True)
class Pipe:
    """`argument |> function`."""

    span: Span
    argument: Expression
    function: Expression


@dataclass(frozen=True, slots=True)
class Argument:
    span: Span
    name: str | None  # a keyword argument's name
    value: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`; the function is a Name, or a Subscript for `sum[k](...)`."""

    span: Span
    function: Expression
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Subscript:
    """`value[items]`: axes, a selection, a renaming; which of them is decided by `value` and the items."""

    span: Span
    value: Expression
    items: tuple[SubscriptItem, ...]


@dataclass(frozen=True, slots=True)
class AxisName:
    """An axis as it stands in brackets, primes included; `length` where one is written in place (`gate: 4`).

    `rest` marks a name that stands for any number of axes (`*others`).
    """

    span: Span
    name: str
    length: int | None = None
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Rename:
    """`a -> b`, and `(a, b) -> c` or `f -> (h: 2, w)` inside flatten and split."""

    span: Span
    before: tuple[AxisName, ...]
    after: tuple[AxisName, ...]


@dataclass(frozen=True, slots=True)
class At:
    """`axis = index`: one position, or a gather by an integer value."""

    span: Span
    axis: AxisName
    index: Expression


@dataclass(frozen=True, slots=True)
class Slice:
    """`axis = start:stop:step`, each part optional."""

    span: Span
    axis: AxisName
    start: Expression | None
    stop: Expression | None
    step: Expression | None


@dataclass(frozen=True, slots=True)
class Taps:
    """`h: r` inside `window[...]`: positions stay `h`, the taps become `r`."""

    span: Span
    axis: AxisName
    taps: AxisName


@dataclass(frozen=True, slots=True)
class Group:
    """`(c, h, w)` in brackets, where a Rename does not follow."""

    span: Span
    axes: tuple[AxisName, ...]


@dataclass(frozen=True, slots=True)
class ValueName:
    """`fc.W` in brackets, which no axis is called: the value by which `grad[fc.W](e)` differentiates."""

    span: Span
    name: str


SubscriptItem = AxisName | Rename | At | Slice | Taps | Group | ValueName
Expression = Number | Boolean | Text | Name | Unary | Binary | Conditional | Pipe | Call | Subscript

# ----------------------------------------------------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class AxisDeclaration:
    """`axis d`, `axis k: 10`, `axis s like t`; one of these for each axis named."""

    span: Span
    name: str
    length: int | None
    like: str | None


@dataclass(frozen=True, slots=True)
class Input:
    """`x[n, d]`, `label[n]: digit`, `flag[n]: bool`; one of these for each value named."""

    span: Span
    name: str
    axes: tuple[AxisName, ...]
    type: str | None  # "bool", or the axis that its integers index


@dataclass(frozen=True, slots=True)
class Noise:
    span: Span
    name: str
    axes: tuple[AxisName, ...]
    distribution: Call


@dataclass(frozen=True, slots=True)
class Parameter:
    """`W[d, k] ~ glorot()`, `s > 0 = 1`, `r in (-1, 1) = 0`; one of these for each parameter named.

    `initial` is a constant expression where it was written behind `=`, a Call of a distribution behind `~`.
    """

    span: Span
    name: str
    axes: tuple[AxisName, ...]
    lower: Expression | None
    upper: Expression | None
    initial: Expression | None
    drawn: bool  # `~` rather than `=`


@dataclass(frozen=True, slots=True)
class State:
    """`running[k] = 0`: kept between steps, and not trained; one of these for each state named."""

    span: Span
    name: str
    axes: tuple[AxisName, ...]
    initial: Expression | None


@dataclass(frozen=True, slots=True)
class Update:
    """`update running = e`: what a state is after a step of training."""

    span: Span
    state: Name
    value: Expression


@dataclass(frozen=True, slots=True)
class Constant:
    span: Span
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Assignment:
    """`x = e`, and `p, q = f(x)`; the names with their places."""

    span: Span
    names: tuple[Name, ...]
    value: Expression


@dataclass(frozen=True, slots=True)
class FormalParameter:
    """A parameter of a `def`: the axes that it must at least carry."""

    span: Span
    name: str
    axes: tuple[AxisName, ...]
    default: Expression | None


@dataclass(frozen=True, slots=True)
class Return:
    span: Span
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """`def f[k](x[k], y) = expression`, or a body whose last statement is a Return."""

    span: Span
    name: str
    axes: tuple[AxisName, ...]
    parameters: tuple[FormalParameter, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """A template with parameters of its own; its body holds parameters, constants, instances and definitions."""

    span: Span
    name: str
    axes: tuple[AxisName, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Carry:
    span: Span
    name: str
    initial: Expression


@dataclass(frozen=True, slots=True)
class Scan:
    """`states = scan t with h = h0, c = c0:` and its body, which yields."""

    span: Span
    names: tuple[str, ...]
    axis: AxisName
    carries: tuple[Carry, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Yield:
    span: Span
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Objective:
    """`minimize e`, `maximize e`, `minimize name = e over head.*`; `over` is None where it is left out."""

    span: Span
    sense: str  # "minimize", "maximize"
    name: str | None
    value: Expression
    over: tuple[Pattern, ...] | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parameter, or all under a prefix: `w`, `head.*`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """`output p = e`, `output t_p`, `output W`; one of these for each output named. `value` is None for a bare name."""

    span: Span
    name: str
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Metric:
    span: Span
    name: str
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Use:
    """`use nn.Linear`; one of these for each name taken."""

    span: Span
    library: str
    name: str


@dataclass(frozen=True, slots=True)
class BatchAxis:
    """`batch n`: says which axis the rows lie along."""

    span: Span
    axis: AxisName


Statement = (
    AxisDeclaration
    | Input
    | Noise
    | Parameter
    | State
    | Update
    | Constant
    | Assignment
    | Definition
    | Layer
    | Scan
    | Yield
    | Return
    | Objective
    | Output
    | Metric
    | Use
    | BatchAxis
)


@dataclass(frozen=True, slots=True)
class Model:
    """A whole source, statement by statement in the order written."""

    span: Span
    statements: tuple[Statement, ...]
