"""A generator of well-typed models: Hypothesis strategies that give the text of a model over every construct so far.

Takes nothing but Hypothesis' choices; gives texts that must compile. An expression is made for the axes that it may
have: a production that sums over an axis first makes an operand that may have one axis more. Functions that are not
defined everywhere get arguments where they are, or stand in a branch of `if` that is taken only there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
Axes = Mapping[str, str]  # from an axis to what is left of it: "" (all), "less" (one fewer), "half", "two"

DECLARED = {"k": 3, "j": 2, "v": 4}
TAPS = {"tap": 2, "tip": 3}
SLICES = {
    "": ("::-1",),
    "less": ("1:", ":-1", ":0:-1", "-2::-1"),
    "half": ("::2", "::-2"),
    "two": (":2", "-2:", "0:2", "1::-1"),
}

ANYWHERE = (
    *("sin", "cos", "tanh", "atan", "sigmoid", "softplus", "relu", "abs", "asinh", "step", "sign", "floor", "ceil"),
    *("leaky_relu", "elu", "gelu", "silu", "mish", "softsign", "selu", "log_sigmoid"),
    *("gelu_tanh", "celu", "hardtanh", "hardswish", "tanhshrink", "softshrink", "log_i0e"),
)
INSIDE = ("asin", "acos", "atanh", "tan", "sinh", "cosh", "exp", "expm1")  # of what lies between -1 and 1
POSITIVE = ("log", "sqrt", "log1p", "log2", "log10", "lgamma", "digamma", "trigamma")
LIBRARY = (
    *("mse", "mae", "huber", "cross_entropy", "binary_cross_entropy", "logistic_loss", "hinge", "gaussian_nll"),
    *("gelu", "silu", "mish", "softsign", "selu", "log_sigmoid", "logaddexp"),
    *("gelu_tanh", "celu", "hardtanh", "hardswish", "tanhshrink", "softshrink"),
    *("Linear", "LayerNorm", "RMSNorm", "Embedding"),
)


def root(axis: str) -> str:
    """The axis that `axis` is a copy of."""
    return "k" if axis == "s" else axis.rstrip("'")


@dataclass(frozen=True)
class Value:
    """A piece of text and its type. `along` is the axis that an integer counts."""

    text: str
    axes: Axes
    type: str = "float"
    along: str | None = None
    positive: bool = False


@dataclass(frozen=True)
class Callee:
    """A function or a layer: the axes of its arguments, given those of the call, and what it gives."""

    name: str
    formals: int  # axis parameters of a function; 0 for a layer
    given: tuple[str, ...]  # a layer's axis that its argument has
    gives: tuple[str, ...]  # the axis of the result; "a" is the function's axis parameter
    second: bool = False  # whether there is a second argument


@dataclass
class Writer:
    """Writes one model; `draw` takes a strategy and gives a choice."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    axes: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    callees: list[Callee] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    taps: set[str] = field(default_factory=set)
    modes: bool = False  # whether the model speaks of `training`
    leaves: list[Value] = field(default_factory=list)  # inputs of numbers and parameters
    derived: bool = False
    budget: int = 40

    # --- choices

    def one(self, of: Sequence[T]) -> T:
        found: T = of[self.draw(st.integers(0, len(of) - 1))] if len(of) > 1 else of[0]
        return found

    def maybe(self, percent: int) -> bool:
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)

    def some(self, of: Sequence[T], percent: int) -> list[T]:
        return [item for item in of if self.maybe(percent)]

    def nn(self, name: str) -> str:
        self.used.add(name)
        return name

    # --- leaves

    def placed(self, value: Value, within: Axes) -> Value | None:
        """The value with its axes renamed and sliced so that they lie within, if they can."""
        to: dict[str, str] = {}
        for axis, kind in value.axes.items():
            fit = [
                b
                for b in within
                if root(b) == root(axis) and b not in to.values() and (kind == within[b] or (kind == "" and within[b]))
            ]
            if not fit:
                return None
            to[axis] = axis if axis in fit and not (len(fit) > 1 and self.maybe(40)) else self.one(fit)
        text, renamed = value.text, [f"{a} -> {b}" for a, b in to.items() if a != b]
        if renamed:
            text = f"{text}[{', '.join(renamed)}]"
        for axis, kind in value.axes.items():
            if within[to[axis]] != kind:
                text = f"{text}[{to[axis]} = {self.one(SLICES[within[to[axis]]])}]"
        return Value(text, {to[a]: within[to[a]] for a in value.axes}, value.type, value.along, value.positive)

    def candidates(self, within: Axes, wanted: Callable[[Value], bool]) -> list[Value]:
        roots = [root(axis) for axis in within]
        return [
            v
            for v in self.values
            if wanted(v) and all(sum(root(a) == root(b) for b in v.axes) <= roots.count(root(a)) for a in v.axes)
        ]

    def leaf(self, within: Axes) -> Value:
        found = self.candidates(within, lambda v: v.type == "float")
        if found and not self.maybe(12):
            placed = self.placed(self.one(found), within)
            if placed is not None:
                return placed
        plain = [axis for axis, kind in within.items() if not kind]
        if plain and self.maybe(30):
            axis = self.one(plain)
            text = self.one((f"index[{axis}]", f"ones[{axis}]", f"(1 + index[{axis}])"))
            return Value(text, {axis: ""})
        if self.axes and self.maybe(15):
            return Value(f"size[{self.one(self.axes)}]", {})
        return Value(self.one(("0.5", "2", "1", "0.1", "3", "1.5", "1/3", "pi", "-0.7", "1e-2")), {})

    def along(self, value: Value, axis: str, kind: str) -> Value:
        """The value, made to have the axis where it does not."""
        if axis in value.axes:
            return value
        found = [v for v in self.values if v.type == "float" and [root(a) for a in v.axes] == [root(axis)]]
        placed = self.placed(self.one(found), {axis: kind}) if found else None
        if placed is None:
            text = f"(0.5 + index[{axis}])"
            placed = Value(f"{text}[{axis} = {SLICES[kind][0]}]" if kind else text, {axis: kind})
        return Value(f"({value.text} {self.one('+*-')} {placed.text})", {**value.axes, **placed.axes})

    # --- expressions

    def fresh(self, within: Axes) -> dict[str, str]:
        """An axis that is not there yet, whole or a part of it; nothing where there is none."""
        free = [axis for axis in self.axes if axis not in within]
        return {self.one(free): "" if self.maybe(80) else self.one(("less", "half", "two"))} if free else {}

    def number(self, within: Axes, depth: int) -> Value:
        self.budget -= 1
        if depth <= 0 or self.budget <= 0:
            return self.leaf(within)
        found = self.one(PRODUCTIONS)(self, within, depth - 1)
        return found if found is not None else self.leaf(within)

    def joined(self, text: str, *parts: Value, type: str = "float") -> Value:
        axes: dict[str, str] = {}
        for part in parts:
            axes.update(part.axes)
        return Value(text.format(*(part.text for part in parts)), axes, type)

    def positive(self, within: Axes, depth: int) -> Value:
        known = self.candidates(within, lambda v: v.positive)
        if known and self.maybe(50):
            placed = self.placed(self.one(known), within)
            if placed is not None:
                return placed
        forms = (
            "({}^2 + 0.5)",
            "softplus({})",
            "(1 + abs({}))",
            "exp(tanh({}))",
            "(0.1 + sigmoid({}))",
            "cosh(sin({}))",
        )
        return self.joined(self.one(forms), self.number(within, depth))

    def truth(self, within: Axes, depth: int) -> Value:
        self.budget -= 1
        known = self.candidates(within, lambda v: v.type == "bool")
        if self.modes and self.maybe(25):
            return Value("training", {}, "bool")
        choice = self.draw(st.integers(0, 9)) if depth > 0 and self.budget > 0 else 0
        if choice <= 1 and known:
            placed = self.placed(self.one(known), within)
            if placed is not None:
                return placed
        if choice in (2, 3):
            both = self.truth(within, depth - 1), self.truth(within, depth - 1)
            return self.joined(f"({{}} {self.one(('and', 'or'))} {{}})", *both, type="bool")
        if choice == 4:
            return self.joined("(not {})", self.truth(within, depth - 1), type="bool")
        if choice == 5 and (new := self.fresh(within)):
            (axis, kind), *_ = new.items()
            inner = self.along(self.number({**within, **new}, depth - 1), axis, kind)
            text = f"{self.one(('any', 'all'))}[{axis}]({inner.text} {self.one('<>')} {self.one(('0', '0.3'))})"
            return Value(text, {a: b for a, b in inner.axes.items() if a != axis}, "bool")
        if choice == 6:
            counts = [v for v in self.values if v.type == "int"]
            left = self.placed(self.one(counts), within) if counts else None
            right = self.integer(within, left.along, depth - 1) if left is not None and left.along else None
            if left is not None and right is not None:
                return self.joined(f"({{}} {self.one(('==', '!='))} {{}})", left, right, type="bool")
        sides = self.number(within, depth - 1), self.number(within, depth - 1)
        return self.joined(f"({{}} {self.one(('<', '>', '<=', '>='))} {{}})", *sides, type="bool")

    def integer(self, within: Axes, along: str, depth: int) -> Value | None:
        """An index along an axis that `within` lacks, or None."""
        known = self.candidates(within, lambda v: v.type == "int" and v.along == along)
        if known and self.maybe(70):
            placed = self.placed(self.one(known), within)
            if placed is not None:
                return placed
        if along in within or along not in self.axes:
            return None
        inner = self.along(self.number({**within, along: ""}, depth), along, "")
        text = f"{self.one(('argmax', 'argmin'))}[{along}]({inner.text})"
        return Value(text, {a: b for a, b in inner.axes.items() if a != along}, "int", along)


def _binary(w: Writer, within: Axes, depth: int) -> Value:
    return w.joined(f"({{}} {w.one('+-*')} {{}})", w.number(within, depth), w.number(within, depth))


def _three(w: Writer, within: Axes, depth: int) -> Value:
    parts = [w.number(within, depth) for _ in range(3)]
    return w.joined(f"({{}} {w.one('+-*')} {{}} {w.one('+-*')} {{}})", *parts)


def _shared(w: Writer, within: Axes, depth: int) -> Value:
    one = w.number(within, depth)
    form = w.one(("({0} * sin({0}))", "({0} - {1} * {0})", "({0} * {1} + {0})", "({0}^2 - {0})", "({0} * ({0} + {1}))"))
    other = w.number(within, depth - 1)
    return Value(form.format(one.text, other.text), {**one.axes, **(other.axes if "{1}" in form else {})})


def _quotient(w: Writer, within: Axes, depth: int) -> Value:
    return w.joined("({} / {})", w.number(within, depth), w.positive(within, depth))


def _anywhere(w: Writer, within: Axes, depth: int) -> Value:
    name = w.one(ANYWHERE)
    inner = w.number(within, depth)
    if name in LIBRARY:
        w.used.add(name)
    return w.joined(f"({{}} |> {name})" if w.maybe(15) else f"{name}({{}})", inner)


def _inside(w: Writer, within: Axes, depth: int) -> Value:
    small = w.one(("0.9 * tanh({})", "0.8 * sin({})", "sigmoid({}) - 0.5", "-sigmoid({}) * 0.9"))
    return w.joined(f"{w.one(INSIDE)}({small})", w.number(within, depth))


def _positive(w: Writer, within: Axes, depth: int) -> Value:
    return w.joined(f"{w.one(POSITIVE)}({{}})", w.positive(within, depth))


def _two(w: Writer, within: Axes, depth: int) -> Value:
    form = w.one(
        (
            *("max({}, {})", "min({}, {})", "maximum({}, {})", "minimum({}, {})", "max({}, {}, 0.2)"),
            *("clip({}, -0.5, 1 + abs({}))", "logaddexp({}, {})", "leaky_relu({}, 0.2) * {}", "elu({}, 0.5) + {}"),
        )
    )
    if form.startswith("logaddexp"):
        w.used.add("logaddexp")
    return w.joined(form, w.number(within, depth), w.number(within, depth))


def _mixed(w: Writer, within: Axes, depth: int) -> Value:
    form = w.one(("atan2({}, {})", "xlogy({}, {})", "xlogy(relu({}), {})", "acosh(1 + {1}) * {0}"))
    return w.joined(form, w.number(within, depth), w.positive(within, depth))


def _power(w: Writer, within: Axes, depth: int) -> Value:
    if w.maybe(45):
        return w.joined(w.one(("{}^2", "{}^3", "{} ** 2", "({})^4", "-{}^2")), _closed(w.number(within, depth)))
    if w.maybe(50):
        return w.joined(w.one(("{}^0.5", "{}^-1", "{}^(-0.5)", "{}^1.5", "{}^-2")), _closed(w.positive(within, depth)))
    form = w.one(("{}^tanh({})", "{}^(0.5 * {})", "2^sin({1}) * {0}"))
    return w.joined(form, _closed(w.positive(within, depth)), w.number(within, depth))


def _closed(value: Value) -> Value:
    return Value(f"({value.text})", value.axes)


def _without(value: Value, *axes: str) -> Axes:
    return {a: b for a, b in value.axes.items() if a not in axes}


def _sum(w: Writer, within: Axes, depth: int) -> Value | None:
    new = w.fresh(within)
    if new and w.maybe(25):
        new |= w.fresh({**within, **new})
    if not new:
        return None
    name = w.one(("sum", "mean"))
    parts = [w.number({**within, **new}, depth) for _ in range(w.one((1, 2, 2, 3)))]
    for axis, kind in new.items():
        if not any(axis in part.axes for part in parts):
            at = w.draw(st.integers(0, len(parts) - 1))
            parts[at] = w.along(parts[at], axis, kind)
    whole = w.joined(" * ".join("{}" for _ in parts), *map(_closed, parts))
    return Value(f"{name}[{', '.join(new)}]({whole.text})", _without(whole, *new))


def _matrix(w: Writer, within: Axes, depth: int) -> Value | None:
    new = w.fresh(within)
    if not new:
        return None
    (axis, kind), *_ = new.items()
    left = {a: b for a, b in within.items() if w.maybe(50)}
    right = {a: b for a, b in within.items() if a not in left}
    a = w.along(w.number({**left, **new}, depth), axis, kind)
    b = w.along(w.number({**right, **new}, depth), axis, kind)
    return Value(f"(({a.text}) @ ({b.text}))", {**_without(a, axis), **_without(b, axis)})


def _reduce(w: Writer, within: Axes, depth: int) -> Value | None:
    new = w.fresh(within)
    if new and w.maybe(15):
        new |= w.fresh({**within, **new})
    if not new:
        return None
    inner = w.number({**within, **new}, depth)
    for axis, kind in new.items():
        inner = w.along(inner, axis, kind)
    name = w.one(("max", "min", "prod", "var", "std", "norm", "logsumexp", "logsumexp"))
    if name in ("std", "norm") and w.maybe(70):
        return Value(f"sqrt(0.1 + {name}[{', '.join(new)}]({inner.text})^2)", _without(inner, *new))
    return Value(f"{name}[{', '.join(new)}]({inner.text})", _without(inner, *new))


def _softmax(w: Writer, within: Axes, depth: int) -> Value | None:
    if not within:
        return None
    axis = w.one(sorted(within))
    inner = w.along(w.number(within, depth), axis, within[axis])
    form = w.one(("softmax[{1}]({0})", "log_softmax[{1}]({0})", "exp({0} - logsumexp[{1}]({0}))"))
    return Value(form.format(inner.text, axis), inner.axes)


def _gather(w: Writer, within: Axes, depth: int) -> Value | None:
    shuffle = [v for v in w.values if v.text == "shuffle"]
    if shuffle and within.get("k") == "" and w.maybe(50):
        inner = w.along(w.number(within, depth), "k", "")
        return Value(f"({inner.text})[k = shuffle]", inner.axes)
    free = [axis for axis in w.axes if axis not in within and axis in ("k", "v", "j")]
    if not free:
        return None
    axis = w.one(free)
    inner = w.along(w.number({**within, axis: ""}, depth), axis, "")
    index = w.integer(within, axis, min(depth, 1))
    if index is None or w.maybe(20):
        return Value(f"({inner.text})[{axis} = {w.one(('0', '1', '-1'))}]", _without(inner, axis))
    return Value(f"({inner.text})[{axis} = {index.text}]", {**_without(inner, axis), **index.axes})


def _slice(w: Writer, within: Axes, depth: int) -> Value | None:
    if not within:
        return None
    axis = w.one(sorted(within))
    inner = w.along(w.number({**within, axis: ""}, depth), axis, "")
    return Value(f"({inner.text})[{axis} = {w.one(SLICES[within[axis]])}]", {**inner.axes, axis: within[axis]})


def _rename(w: Writer, within: Axes, depth: int) -> Value | None:
    copies = [a for a in within if (a.endswith("'") or a == "s") and root(a) not in within and root(a) in w.axes]
    if not copies:
        return None
    axis = w.one(sorted(copies))
    before = {(root(a) if a == axis else a): b for a, b in within.items()}
    inner = w.along(w.number(before, depth), root(axis), within[axis])
    return Value(f"({inner.text})[{root(axis)} -> {axis}]", {**_without(inner, root(axis)), axis: within[axis]})


def _conditional(w: Writer, within: Axes, depth: int) -> Value:
    form = w.one(("(if {} then {} else {})", "where({}, {}, {})"))
    return w.joined(form, w.truth(within, depth), w.number(within, depth), w.number(within, depth))


def _guarded(w: Writer, within: Axes, depth: int) -> Value:
    one, other = w.number(within, depth), w.number(within, depth - 1)
    form = w.one(
        (
            "(if {0} > 0 then log({0}) else {1})",
            "(if {0} > 0 then sqrt({0}) else {1})",
            "where({0} > 0.1, 1 / {0}, {1})",
            "(if {0} <= 0.1 then {1} else {0}^-1.5)",
            "(if {0} > 1 then acosh({0}) * {1} else {1})",
        )
    )
    return w.joined(form, _closed(one), other)


def _by_hand(w: Writer, within: Axes, depth: int) -> Value | None:
    new = w.fresh(within)
    if not new or w.maybe(40):
        form = w.one(("1 / (1 + exp(-{}))", "log(1 + exp({}))", "-log(1 + exp(-{}))", "exp({0}) / (1 + exp({0}))"))
        return _closed(w.joined(form, _closed(w.number(within, depth))))
    (axis, kind), *_ = new.items()
    inner = w.along(w.number({**within, **new}, depth), axis, kind)
    return Value(f"log(sum[{axis}](exp({inner.text})))", _without(inner, axis))


def _call(w: Writer, within: Axes, depth: int) -> Value | None:
    if not w.callees:
        return None
    callee = w.one(w.callees)
    if not callee.formals:
        (given,) = callee.given
        if any(axis not in within or within[axis] for axis in callee.gives):
            return None
        others = {a: b for a, b in within.items() if a not in (*callee.given, *callee.gives)}
        inner = w.along(w.number({**others, given: ""}, depth), given, "")
        text = f"({inner.text} |> {callee.name})" if w.maybe(50) else f"{callee.name}({inner.text})"
        return Value(text, {**_without(inner, given), **dict.fromkeys(callee.gives, "")})
    if callee.gives:
        whole = [a for a, b in within.items() if not b]
        if not whole:
            return None
        axis = w.one(sorted(whole))
    else:
        free = [a for a in w.axes if a not in within]
        if not free:
            return None
        axis = w.one(free)
    others = {a: b for a, b in within.items() if a != axis}
    first = w.along(w.number({**others, axis: ""}, depth), axis, "")
    second = w.number(others, depth - 1) if callee.second else Value("", {})
    text = f"{callee.name}[{axis}]({first.text}{', ' if callee.second else ''}{second.text})"
    return Value(text, {**second.axes, **(first.axes if callee.gives else _without(first, axis))})


def _library(w: Writer, within: Axes, depth: int) -> Value | None:
    name = w.one(("mse", "mae", "huber", "cross_entropy", "binary_cross_entropy", "logistic_loss", "hinge", "nll"))
    if name in ("mse", "mae"):
        new = w.fresh({})
        both = w.number(new, depth), w.number(new, depth)
        return Value(f"{w.nn(name)}({both[0].text}, {both[1].text})", {})
    if name == "cross_entropy":
        free = [axis for axis in ("k", "v") if axis in w.axes and axis not in within]
        index = w.integer(within, free[0], 0) if free else None
        if index is None:
            return None
        logits = w.along(w.number({**within, free[0]: ""}, depth), free[0], "")
        text = f"{w.nn(name)}[{free[0]}]({logits.text}, {index.text})"
        return Value(text, {**_without(logits, free[0]), **index.axes})
    if name == "binary_cross_entropy":
        target = w.truth(within, 1)
        form = f"{w.nn(name)}(sigmoid({{}}), if {{}} then 1 else 0)"
        return w.joined(form, w.number(within, depth), target)
    if name == "nll":
        parts = w.number(within, depth), w.number(within, depth), w.positive(within, depth - 1)
        return w.joined(f"{w.nn('gaussian_nll')}({{}}, {{}}, {{}})", *parts)
    return w.joined(f"{w.nn(name)}({{}}, {{}})", w.number(within, depth), w.number(within, depth))


def _held(w: Writer, within: Axes, depth: int) -> Value:
    return w.joined(w.one(("stop_gradient({})", "detach({})")), w.number(within, depth))


def _counted(w: Writer, within: Axes, depth: int) -> Value | None:
    new = w.fresh(within)
    if not new:
        return None
    (axis, kind), *_ = new.items()
    inner = w.along(w.number({**within, **new}, depth), axis, kind)
    text = f"{w.one(('sum', 'mean'))}[{axis}]({inner.text} > {w.one(('0', '0.4'))})"
    return Value(text, _without(inner, axis))


def _square(w: Writer, others: Axes, axis: str, depth: int) -> Value:
    """A matrix over the axis and its copy, far from singular: what it has beside its diagonal is small."""
    if w.maybe(50):
        inner = w.along(w.number({**others, axis: ""}, depth - 1), axis, "")
        text = f"((tanh({inner.text}) * tanh({inner.text})[{axis} -> {axis}']) / size[{axis}]"
    else:
        inner = w.number({**others, axis: "", f"{axis}'": ""}, depth - 1)
        text = f"(tanh({inner.text}) / size[{axis}]"
    text += f" + where(index[{axis}] == index[{axis}'], 2, 0))"
    return Value(text, _without(inner, axis, f"{axis}'"))


def _algebra(w: Writer, within: Axes, depth: int) -> Value | None:
    whole = [a for a, kind in within.items() if not kind and a in w.axes and f"{a}'" not in within]
    free = [a for a in w.axes if a not in within and f"{a}'" not in within]
    if whole and w.maybe(50):
        axis = w.one(sorted(whole))
        matrix = _square(w, {a: kind for a, kind in within.items() if a != axis}, axis, depth)
        right = w.along(w.number(within, depth - 1), axis, "")
        return Value(f"solve[{axis}, {axis}']({matrix.text}, {right.text})", {**matrix.axes, **right.axes})
    if not free:
        return None
    axis = w.one(free)
    matrix = _square(w, within, axis, depth)
    form = w.one(
        (
            "logdet[{0}, {0}']({1})",
            "log(det[{0}, {0}']({1}))",
            "det[{0}, {0}']({1})",
            "trace[{0}, {0}'](inverse[{0}, {0}']({1}))",
            "sum[{0}, {0}'](inverse[{0}, {0}']({1}) * (1 + index[{0}]) * cos(index[{0}']))",
        )
    )
    return Value(f"({form.format(axis, matrix.text)})", matrix.axes)


def _window(w: Writer, within: Axes, depth: int) -> Value | None:
    """A sum or another reduction over taps, along an axis that stays or along one that is summed too."""
    reduction = w.one(("sum", "sum", "mean", "max", "min", "prod", "logsumexp"))
    kinds = {"": ("same",), "less": ("tap",), "half": ("half",)}
    staying = [axis for axis, kind in within.items() if kind in kinds]
    new = {} if staying and w.maybe(60) else w.fresh(within)
    if not new and not staying:
        return None
    axis = next(iter(new)) if new else w.one(sorted(staying))
    inner = w.along(w.number({**within, axis: ""}, depth), axis, "")
    tap, options = w.one(tuple(TAPS)), w.one((', pad="same"', ", pad=2, stride=2", ", pad=2, dilation=2", ", 3, 1, 1"))
    if not new and within[axis] == "":
        options = w.one((', pad="same"', ', dilation=2, pad="same"'))
    elif not new and within[axis] == "less":
        tap, options = "tap", ""
    elif not new:
        options = ', stride=2, pad="same"'
    w.taps.add(tap)
    kernel = w.one(("", f" * (0.5 + index[{tap}])", f" * cos(index[{tap}] * {{}})"))
    other = w.number({a: b for a, b in within.items() if a != axis}, 0) if "{}" in kernel else Value("", {})
    window = f"window[{axis}: {tap}]({inner.text}{options}){kernel.format(other.text)}"
    axes = {**other.axes, **inner.axes}
    if new:
        return Value(f"{reduction}[{axis}, {tap}]({window})", {a: b for a, b in axes.items() if a != axis})
    return Value(f"{reduction}[{tap}]({window})", {**axes, axis: within[axis]})


def _concat(w: Writer, within: Axes, depth: int) -> Value | None:
    whole = [axis for axis, kind in within.items() if not kind]
    if not whole:
        return None
    axis = w.one(sorted(whole))
    parts = [w.along(w.number(within, depth - i), axis, "") for i in range(2)]
    cut = w.one(((":1", "1:"), (":-1", "-1:"), ("0:1", ":0:-1")))
    texts = [f"({part.text})[{axis} = {piece}]" for part, piece in zip(parts, cut, strict=True)]
    return Value(f"concat[{axis}]({', '.join(texts)})", {**parts[0].axes, **parts[1].axes})


def _flat(w: Writer, within: Axes, depth: int) -> Value | None:
    """Two axes as one, and taken apart again or summed."""
    whole = [axis for axis, kind in within.items() if not kind]
    staying = len(whole) >= 2 and w.maybe(60)
    free = [axis for axis in w.axes if axis not in within]
    if not staying and len(free) < 2:
        return None
    first = w.one(sorted(whole) if staying else free)
    second = w.one([axis for axis in (sorted(whole) if staying else free) if axis != first])
    inner = w.number({**within, first: "", second: ""}, depth)
    inner = w.along(w.along(inner, first, ""), second, "")
    name = f"m{first}{second}".replace("'", "p")
    flat = f"flatten[({first}, {second}) -> {name}]({inner.text})"
    flat = w.one((flat, f"cumsum[{name}]({flat})", f"({flat})[{name} = ::-1]", f"sin({flat})"))
    if staying:
        return Value(f"split[{name} -> ({first}, {second})]({flat})", inner.axes)
    reduction = w.one(("sum", "mean", "max", "logsumexp"))
    return Value(f"{reduction}[{name}]({flat})", _without(inner, first, second))


def _running(w: Writer, within: Axes, depth: int) -> Value | None:
    if not within:
        return None
    axis = w.one(sorted(within))
    inner = w.along(w.number(within, depth), axis, within[axis])
    form = w.one(("cumsum[{1}]({0})", "cumprod[{1}]({0})", "cumprod[{1}](relu({0}))", "sort"))
    if form == "sort":
        # Apart from each other, so that rounding does not decide how they are ordered.
        apart = f"0.37 * index[{axis}]" + (f"[{axis} = {SLICES[within[axis]][0]}]" if within[axis] else "")
        order = f"argsort[{axis}](sin({inner.text}) + {apart})"
        form = w.one(("sort[{1}](sin({0}) + {2})", "({0})[{1} = {3}]")).format(inner.text, axis, apart, order)
        return Value(form if not within[axis] else f"sort[{axis}](sin({inner.text}) + {apart})", inner.axes)
    return Value(form.format(inner.text, axis), inner.axes)


def _derivative(w: Writer, within: Axes, depth: int) -> Value | None:
    """A derivative, one in a model, by a parameter or an input; of something that is made to depend on it."""
    if not w.leaves or w.derived:
        return None
    w.derived = True
    by = w.one(w.leaves)
    inner = w.number({**by.axes, **w.fresh(by.axes)}, depth)
    value, vector = f"({inner.text} * {by.text})", w.number(by.axes, 1).text
    form = w.one(
        (
            *("grad", "grad", "grad", "sum(sin(grad[{0}](sum({1}))))", "mean(hessian[{0}](mean({1}^2)))"),
            *("sum(hvp[{0}](mean(sin({1})), {2}))", "mean(jvp[{0}](tanh({1}), {2})^2)"),
            *("sum(cos(vjp[{0}]({1}, {1})))", "mean(jacobian[{0}](sin({1})) + 1)"),
        )
    )
    if form == "grad":
        return w.placed(Value(f"grad[{by.text}](sum({value}))", by.axes), within)
    return Value(form.format(by.text, value, vector), {})


PRODUCTIONS: tuple[Callable[[Writer, Axes, int], Value | None], ...] = (
    *(_binary, _binary, _binary, _three, _shared, _quotient, _anywhere, _anywhere, _anywhere, _inside, _positive),
    *(_two, _mixed, _power, _power, _sum, _sum, _sum, _sum, _matrix, _matrix, _reduce, _reduce, _softmax, _softmax),
    *(_gather, _gather, _slice, _slice, _rename, _rename, _conditional, _conditional, _guarded, _by_hand, _call, _call),
    *(_library, _held, _counted, _algebra, _algebra, _derivative, _derivative),
    *(_window, _window, _concat, _flat, _running, _running),
)


# --------------------------------------------------------------------------------------------------------- whole models

INPUTS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("x", ("n", "k"), ""),
    ("y", ("n",), ""),
    ("u", ("n", "t"), ""),
    ("g", ("t",), ""),
    ("m", ("n", "k", "j"), ""),
    ("D", ("k", "j"), ""),
    ("B", ("k", "k'"), ""),
    ("q", (), ""),
    ("label", ("n",), "k"),
    ("token", ("n", "t"), "v"),
    ("pick", ("j",), "k"),
    ("shuffle", ("k",), "k"),
    ("flag", ("n",), "bool"),
    ("mask", ("n", "k"), "bool"),
)

PARAMETERS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("w", ("k",), ""),
    ("b", (), ""),
    ("A", ("k", "j"), ""),
    ("E", ("v", "j"), ""),
    ("M", ("k", "k'"), ""),
    ("h", ("t",), ""),
    ("e", ("v",), ""),
    ("T", ("t", "k"), ""),
    ("c", ("j",), ""),
    ("p", (), " > 0"),
    ("r", ("k",), " in (-1, 1)"),
    ("z", ("j",), " < 2"),
    ("o", (), " >= 0.25"),
)

NOISE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("eps", ("n", "k")),
    ("rain", ("n", "t")),
    ("dust", ("j",)),
    ("xi", ()),
)
DRAWN = ("normal(0, 1)", "normal(1, std=0.5)", "uniform(-1, 1)", "bernoulli(0.3)", "exponential(2)")

STATES: tuple[tuple[str, tuple[str, ...]], ...] = (("kept", ("k",)), ("grid", ("k", "j")), ("count", ()))

STARTS: Mapping[str, tuple[str, ...]] = {
    "": ("", " = 0.3", " ~ normal(0, 1)", " ~ uniform(-1, 1)", " ~ glorot()", " ~ he()", " ~ normal(0, std=0.5)"),
    " > 0": ("", " = 1", " = 0.5", " ~ uniform(0.5, 2)"),
    " in (-1, 1)": ("", " = 0", " = 0.4", " ~ uniform(-0.5, 0.5)"),
    " < 2": ("", " = 1", " = -1"),
    " >= 0.25": ("", " = 1"),
}


@st.composite
def models(draw: Any, rows: bool | None = None, depth: int = 3) -> str:
    """The text of a model. `rows` says whether it has a row axis; None leaves it open."""
    w = Writer(draw)
    with_rows = w.maybe(85) if rows is None else rows
    data_axes = {"n", "t"} if with_rows else set()
    known = {*DECLARED, *data_axes}
    lines: list[str] = []

    fitting = [entry for entry in INPUTS if all(a.rstrip("'") in known for a in entry[1])]
    inputs = w.some(fitting, 45)
    if with_rows and not any("n" in axes for _, axes, _ in inputs):
        inputs.insert(0, INPUTS[0])
    told = {axis.rstrip("'") for _, axes, _ in inputs for axis in axes}
    known -= {axis for axis in data_axes if axis not in told}
    fitting = [entry for entry in PARAMETERS if all(a.rstrip("'") in known for a in entry[1])]
    parameters = w.some(fitting, 40) or [PARAMETERS[1]]

    orders = {name: list(draw(st.permutations(axes))) if w.maybe(25) else list(axes) for name, axes, _ in inputs}
    leading = {order[0].rstrip("'") for order in orders.values() if order}
    if with_rows and ((leading & data_axes) != {"n"} or w.maybe(10)):
        lines.append("batch n")
    inline = {axis for axis in DECLARED if w.maybe(25)}

    def bracket(axes: Sequence[str]) -> str:
        parts = []
        for axis in axes:
            parts.append(f"{axis}: {DECLARED[axis]}" if axis in inline else axis)
            inline.discard(axis)
        return f"[{', '.join(parts)}]" if parts else ""

    declarations = []
    for name, _, kind in inputs:
        declarations.append(f"input {name}{bracket(orders[name])}{': ' + kind if kind else ''}")
        type_ = {"": "float", "bool": "bool"}.get(kind, "int")
        w.values.append(Value(name, dict.fromkeys(orders[name], ""), type_, kind if type_ == "int" else None))
        w.leaves += [w.values[-1]] if type_ == "float" else []
    for name, axes, bound in parameters:
        order = list(draw(st.permutations(axes))) if w.maybe(25) else list(axes)
        starts = [s for s in STARTS[bound] if axes or ("glorot" not in s and "he()" not in s)]
        declarations.append(f"param {name}{bracket(order)}{bound}{w.one(starts)}")
        value = Value(name, dict.fromkeys(order, ""), positive=bound in (" > 0", " >= 0.25"))
        w.values += [value, value, value] if not bound else [value, value]
        w.leaves.append(value)
    declared = [f"{axis}: {n}" for axis, n in DECLARED.items() if not any(f"{axis}: {n}" in d for d in declarations)]
    if declared:
        lines.append(f"axis {', '.join(declared)}")
    lines.append("axis s like k")
    if w.maybe(40):
        declarations.append(f"const l2 = {w.one(('1e-3', '0.5', '2 * 0.25'))}")
        w.values.append(Value("l2", {}))
    states = _between_steps(w, declarations, known)
    w.modes = w.maybe(20)
    lines += declarations
    w.axes = [*sorted(known - {"t"}, reverse=True), *(["t"] if "t" in known else []), "k'", "s"]
    if w.maybe(15):
        w.axes.append("j'")

    _functions(w, lines)
    _layers(w, lines)

    for i in range(w.one((0, 0, 0, 1, 1, 2))):
        _scan(w, lines, f"r{i}", "", 2)

    for i in range(w.one((1, 2, 2, 3))):
        chosen = w.some(w.axes, 30)[:3]
        within = {axis: "" if w.maybe(90) else "less" for axis in chosen}
        w.budget = 14
        value = w.number(within, depth)
        lines.append(f"h{i} = {value.text}")
        w.values += [Value(f"h{i}", value.axes)] * 3

    _pair(w, lines)

    parameter = w.one(parameters)
    lines.append(f"{_objective(w, parameter, depth)}{_over(w, parameter, parameters)}")
    if w.maybe(15):
        parameter = w.one(parameters)
        lines.append(f"{_objective(w, parameter, depth - 1, 'other = ')}{_over(w, parameter, parameters)}")
    for name, axes in states:
        w.budget = 8
        lines.append(f"update {name} = 0.9 * {name} + 0.1 * {w.number(dict.fromkeys(axes, ''), 2).text}")
    for i in range(w.one((0, 1, 1, 2))):
        lines.append(f"output out{i} = {_output(w)}")
    for i in range(w.one((0, 0, 1, 2))):
        lines.append(f"metric m{i} = {_metric(w)}")
    used = [f"use {', '.join(f'nn.{name}' for name in LIBRARY if name in w.used)}"] if w.used else []
    taps = [f"axis {', '.join(f'{tap}: {n}' for tap, n in TAPS.items() if tap in w.taps)}"] if w.taps else []
    return "\n".join([*used, *taps, *lines, ""])


def _between_steps(w: Writer, declarations: list[str], known: set[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Noise and states; the states that are to be updated."""
    for name, axes in w.some([entry for entry in NOISE if set(entry[1]) <= known], 12):
        order = list(w.draw(st.permutations(axes)))
        declarations.append(f"noise {name}{_axes(order)} ~ {w.one(DRAWN)}")
        w.values.append(Value(name, dict.fromkeys(order, "")))
    states = w.some(STATES, 10)
    for name, axes in states:
        declarations.append(f"state {name}{_axes(axes)}{w.one(('', ' = 0.5'))}")
        w.values.append(Value(name, dict.fromkeys(axes, "")))
    return [state for state in states if w.maybe(80)]


def _axes(names: Sequence[str]) -> str:
    return f"[{', '.join(names)}]" if names else ""


def _pair(w: Writer, lines: list[str]) -> None:
    """A function of two values, and what it gives for one argument."""
    if not w.maybe(12):
        return
    lines += ["def pair[a](a0[a]):", "    lower = min[a](a0)", "    return lower, a0 - lower"]
    axis = w.one(w.axes)
    others = [other for other in w.axes if other != axis]
    within = {axis: "", **dict.fromkeys(w.some(others, 20)[:1], "")}
    w.budget = 8
    inner = w.along(w.number(within, 2), axis, "")
    lines.append(f"low, rest = pair[{axis}]({inner.text})")
    w.values += [Value("low", _without(inner, axis)), Value("rest", inner.axes)]


def _functions(w: Writer, lines: list[str]) -> None:
    """Functions of one axis parameter, whose bodies see only their arguments."""
    outer, outer_axes, leaves = w.values, w.axes, w.leaves
    w.leaves = []
    for i in range(w.one((0, 0, 1, 2))):
        keeps, second = w.maybe(50), w.maybe(50)
        w.values = [Value("a0", {"a": ""}), *([Value("a1", {})] if second else [])]
        w.axes, w.budget = ["a"], 6
        name = f"f{i}"
        head = f"def {name}[a](a0[a]{', a1' if second else ''})"
        body = w.number({"a": ""}, 2)
        # The arguments stand in it as they are, so that the result surely has the axes that they bring.
        body = Value(f"({body.text} {w.one('+*-')} {'a0 * a1' if second else 'a0'})", {"a": ""})
        if not keeps:
            body = Value(f"{w.one(('sum', 'mean', 'logsumexp'))}[a]({body.text})", {})
        if w.maybe(50):
            lines.append(f"{head} = {body.text}")
        else:
            lines += [
                f"{head}:",
                f"    inner = {body.text}",
                f"    return {w.one(('inner', 'sin(inner)', '2 * inner'))}",
            ]
        w.callees.append(Callee(name, 1, (), ("a",) if keeps else (), second))
    w.values, w.axes, w.leaves = outer, outer_axes, leaves


def _layers(w: Writer, lines: list[str]) -> None:
    """Instances of layers of the library, and of one written here."""
    kind = w.one(("none", "none", "Linear", "LayerNorm", "RMSNorm", "own"))
    if kind == "Linear":
        w.used.add(kind)
        lines.append("fc = Linear[k, j]")
        w.callees += [Callee("fc", 0, ("k",), ("j",))] * 2
    if kind in ("LayerNorm", "RMSNorm"):
        w.used.add(kind)
        lines.append(f"fc = {kind}[k]")
        w.callees += [Callee("fc", 0, ("k",), ("k",))] * 2
    if kind == "own":
        lines += [
            "layer Own[i, o]:",
            "    param W[i, o] ~ normal(0, 1)",
            f"    param g{w.one(('', ' > 0 = 1', ' in (0, 1)'))}",
            f"    def call(x[i]) = {w.one(('tanh', 'relu', 'sigmoid', 'softplus'))}(x @ W) * g",
            "fc = Own[j, k]",
        ]
        w.callees += [Callee("fc", 0, ("j",), ("k",))] * 2


def _scan(w: Writer, lines: list[str], name: str, indent: str, depth: int) -> None:
    """A scan of one or two carried values, each step of which stays between -2 and 2; perhaps with one in it."""
    plain = [axis for axis in w.axes if axis in ("n", "t", "k", "j", "v")]
    if not plain:
        return
    along = w.one(plain)
    outer, outer_axes, outer_callees, outer_leaves = w.values, w.axes, w.callees, w.leaves
    w.axes = [axis for axis in outer_axes if root(axis) != root(along)]
    w.callees = [c for c in w.callees if along not in (*c.given, *c.gives)]
    carried = []
    starts = []
    for i in range(w.one((1, 1, 2))):
        axes = dict.fromkeys(w.some(w.axes, 25)[:2], "")
        w.budget = 3
        w.values = [v for v in outer if along not in v.axes]
        start = w.number(axes, 1)
        whole = f" * ones[{', '.join(axes)}]" if axes else ""
        starts.append(f"{name}c{i} = {w.one(('0', '0.5', f'tanh({start.text})'))}{whole}")
        carried.append(Value(f"{name}c{i}", axes))
    w.values = [
        Value(v.text, _without(v, along), v.type, v.along, v.positive) if v.axes.get(along) == "" else v
        for v in outer
        if not v.axes.get(along)
    ]
    w.values += carried * 4
    w.leaves = [*carried, *(Value(v.text, _without(v, along)) for v in outer_leaves)]
    several = w.maybe(25)
    lines.append(f"{indent}{name}{f', {name}b' if several else ''} = scan {along} with {', '.join(starts)}:")
    inner = indent + "    "
    if depth > 1 and w.maybe(20):
        _scan(w, lines, f"{name}i", inner, depth - 1)
    if w.maybe(50):
        w.budget = 5
        value = w.number(dict.fromkeys(w.some(w.axes, 25)[:2], ""), 2)
        lines.append(f"{inner}{name}z = {value.text}")
        w.values += [Value(f"{name}z", value.axes)] * 2
    for carry in carried:
        w.budget = 6
        value = w.number(carry.axes, 2)
        forms = (
            "tanh({1})",
            "tanh({0} + {1})",
            "0.5 * {0} + sin({1})",
            "0.9 * {0} - 0.1 * tanh({1})",
            "{0} * cos({1})",
        )
        form = w.one(forms)
        lines.append(f"{inner}{carry.text} = {form.format(carry.text, _closed(value).text)}")
    yielded = []
    for _ in range(2 if several else 1):
        w.budget = 4
        value = w.number(dict.fromkeys(w.some(w.axes, 25)[:2], ""), 1)
        yielded.append(w.one((carried[0], carried[-1], value)))
    lines.append(f"{inner}yield {', '.join(value.text for value in yielded)}")
    w.values, w.axes, w.callees, w.leaves = outer, outer_axes, outer_callees, outer_leaves
    names = (name, f"{name}b")
    w.values += [Value(n, {along: "", **value.axes}) for n, value in zip(names, yielded, strict=False)] * 2


def _objective(w: Writer, parameter: tuple[str, tuple[str, ...], str], depth: int, named: str | None = None) -> str:
    """A scalar that surely depends on the parameter."""
    w.budget = 24
    new = w.fresh({})
    if new and w.maybe(50):
        new |= w.fresh(new)
    inner = w.number(new, depth + 1)
    whole = f"{w.one(('mean', 'sum', 'mean'))}({inner.text})" if inner.axes else inner.text
    name, axes, _ = parameter
    own = f"{name}^2" if not axes else w.one((f"sum({name}^2)", f"mean(cos({name}))", f"sum({name} * {name})"))
    sense = w.one(("minimize", "minimize", "minimize", "maximize"))
    named = w.one(("", "", "cost = ")) if named is None else named
    return f"{sense} {named}{whole} + {w.one(('0.1', '1'))} * {own}"


def _over(w: Writer, parameter: tuple[str, tuple[str, ...], str], parameters: Sequence[tuple[str, Any, str]]) -> str:
    if not w.maybe(15):
        return ""
    chosen = [name for name, _, _ in parameters if name == parameter[0] or w.maybe(40)]
    return f" over {', '.join(chosen)}"


def _output(w: Writer) -> str:
    w.budget = 10
    within = dict.fromkeys(w.some(w.axes, 30)[:3], "")
    if w.maybe(15):
        return w.truth(within, 2).text
    index = w.integer({a: b for a, b in within.items() if a != "k"}, "k", 2) if w.maybe(20) else None
    return index.text if index is not None else w.number(within, 2).text


def _metric(w: Writer) -> str:
    w.budget = 8
    new = w.fresh({})
    if w.maybe(40):
        inner = w.truth(new, 2)
        return f"mean({inner.text})"
    inner = w.number(new, 2)
    return f"mean({inner.text})" if inner.axes else inner.text
