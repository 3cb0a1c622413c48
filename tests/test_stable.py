"""Stable forms: each fires on the formula as a person writes it, and is right where that formula overflows or cancels.

The truth is the formula as it is written, and its derivative by differences, both in 500 decimal digits, where
nothing overflows and little cancels. What is allowed is a few units in the last place times the condition of the
formula. With the pass switched off each formula must miss that, so that a rule that no longer fires is seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
import sympy
from mpmath import exp, log, mpf
from sympy import Expr

from gradc.compiler import functions as f
from gradc.compiler.differentiate import partial
from gradc.compiler.graph import Map, Program, Reduce, placeholder, reachable
from gradc.compiler.inspect import inspect_text
from gradc.compiler.scalar import evaluate
from gradc.compiler.simplify.stable_forms import recognise

from .harness import compiled

pytestmark = pytest.mark.simplified

Array = npt.NDArray[Any]
Scalar = Callable[..., Any]

EPS = {dtype: float(np.finfo(dtype).eps) for dtype in ("float64", "float32")}
ULPS = 8
LEAST = {"float64": 1e-307, "float32": 1e-37}
"""What is smaller may be 0."""

_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)
p0 = placeholder(0, positive=True)


@pytest.fixture(autouse=True)
def digits() -> Iterator[None]:
    with mpmath.workdps(500), np.errstate(all="ignore"):
        yield


def kinds(program: Program) -> Counter[str]:
    """How often each function and each reduction stands in the program, gradients included."""
    nodes = reachable(program.roots())
    maps = Counter(type(node.expression).__name__ for node in nodes if isinstance(node, Map))
    return maps + Counter(node.operator for node in nodes if isinstance(node, Reduce))


def off(found: float, truth: Any, condition: Any, dtype: str = "float64") -> float:
    """The error in units of what is allowed; infinite where the number is not finite."""
    if not np.isfinite(found):
        return float("inf")
    allowed = ULPS * EPS[dtype] * (abs(truth) + abs(condition)) + mpf(LEAST[dtype])
    return float(abs(mpf(float(found)) - truth) / allowed)


# ------------------------------------------------------------------------------------------------ formulas at one point


@dataclass(frozen=True)
class Form:
    """A formula in z as text and as a function, and what it becomes: functions that appear, others that go."""

    text: str
    truth: Scalar
    becomes: tuple[str, ...]
    gone: tuple[str, ...] = ("exp",)
    points: tuple[float, ...] = (-800.0, -40.0, -1.3, -1e-12, 1e-12, 0.7, 40.0, 800.0)
    positive: bool = False
    before: str = ""


SMALL = (-40.0, -1.3, -1e-12, 1e-12, 0.7, 40.0)
BELOW_0 = (-800.0, -40.0, -1.3, -0.3, -1e-12)


def s(z: Any) -> Any:
    return 1 / (1 + exp(-z))


FORMS = {
    "sigmoid": Form("1/(1 + exp(-z))", s, ("sigmoid",)),
    "sigmoid, of a quotient": Form("exp(z)/(1 + exp(z))", s, ("sigmoid",)),
    "sigmoid, its exponential named": Form("e/(e + 1)", s, ("sigmoid",), before="e = exp(z)\n"),
    "sigmoid, shifted": Form("3/(2 + 4*exp(-z))", lambda z: 3 / (2 + 4 * exp(-z)), ("sigmoid",)),
    "sigmoid, squared": Form("1/(1 + exp(-z))^2", lambda z: s(z) ** 2, ("sigmoid",)),
    "1 - sigmoid": Form("1 - q", lambda z: 1 - s(z), ("sigmoid",), before="q = 1/(1 + exp(-z))\n"),
    "softplus": Form("log(1 + exp(z))", lambda z: log(1 + exp(z)), ("softplus", "sigmoid"), ("exp", "log")),
    "softplus, of minus": Form("log(exp(-z) + 1)", lambda z: log(1 + exp(-z)), ("softplus",), ("exp", "log")),
    "softplus, shifted": Form("log(3 + 2*exp(z))", lambda z: log(3 + 2 * exp(z)), ("softplus",), ("exp", "log")),
    "softplus, of a factor": Form("log(1 + 5*exp(z))", lambda z: log(1 + 5 * exp(z)), ("softplus",), ("exp", "log")),
    "softplus, through a function": Form(
        "soft(0 - z)",
        lambda z: log(1 + exp(-z)),
        ("softplus",),
        ("exp", "log"),
        before="def up(v) = exp(v)\ndef soft(v):\n    u = 1 + up(v)\n    return log(u)\n",
    ),
    "log(exp(a) + exp(b))": Form(
        "log(exp(z) + exp(-2*z))", lambda z: log(exp(z) + exp(-2 * z)), ("softplus",), ("exp", "log")
    ),
    "log(exp)": Form("log(exp(z))", lambda z: z, (), ("exp", "log")),
    "log(sigmoid)": Form("log(1/(1 + exp(-z)))", lambda z: log(s(z)), ("softplus",), ("exp", "log")),
    "log(1 - sigmoid)": Form(
        "log(1 - q)", lambda z: log(1 - s(z)), ("softplus",), ("exp", "log"), before="q = 1/(1 + exp(-z))\n"
    ),
    "log(exp*positive)": Form(
        "log(exp(z)*(1 + z^2))",
        lambda z: log(exp(z) * (1 + z**2)),
        ("log1p",),
        ("exp", "log"),
    ),
    "log(x^k)": Form("log(z^500)", lambda z: log(z**500), (), ("exp",), (1e-3, 0.3, 1.5, 1e3), True),
    "log(1 - exp)": Form("log(1 - exp(z))", lambda z: log(1 - exp(z)), ("log1mexp", "expm1"), (), BELOW_0),
    "expm1": Form("exp(z) - 1", lambda z: exp(z) - 1, ("expm1",), ("Add",), SMALL),
    "1 - exp": Form("1 - exp(z)", lambda z: 1 - exp(z), ("expm1",), (), SMALL),
    "log1p": Form("log(1 + z)", lambda z: log(1 + z), ("log1p",), ("log",), (-1e-12, 1e-300, 1e-12, 0.5, 800.0)),
    "erfc": Form("1 - erf(z)", mpmath.erfc, ("erfc",), ("erf",), (-2.0, -0.3, 0.3, 1.0, 6.0, 20.0)),
    "sin(z)/z": Form("sin(z)/z", lambda z: mpmath.sin(z) / z, ("cos_moment",), ("sin",), SMALL),
    "(exp(z) - 1)/z": Form("(exp(z) - 1)/z", lambda z: (exp(z) - 1) / z, ("exp_moment",), ("expm1",), SMALL),
    "1 - tanh^2": Form("1 - tanh(z)^2", lambda z: 1 - mpmath.tanh(z) ** 2, ("sech",), ("exp",), SMALL),
    "log1p, of a product": Form(
        "log(1 + 2*z^2)", lambda z: log(1 + 2 * z**2), ("log1p",), ("log",), (1e-100, 1e-12, 0.5, 800.0)
    ),
}


def errors(form: Form, without: tuple[str, ...], dtype: str = "float64") -> tuple[Counter[str], list[float]]:
    """What stands in the program, and by how much value and gradient miss the truth at every point."""
    sign = " > 0" if form.positive else ""
    text = (
        f"axis k: {len(form.points)}\nparam z[k]{sign} = 1\n{form.before}v = {form.text}\nminimize sum(v)\noutput v\n"
    )
    of, module = compiled(text, without=without, dtype=dtype)
    theta = module.pack({"z": np.array(form.points)})
    seen = module.unpack(theta)["z"]
    value, (_, gradient) = module.predict(theta, {})["v"], module.bind({})(theta)
    found = []
    for i, point in enumerate(seen):
        z = mpf(float(point))
        # A bounded parameter is exp(theta), and what is trained is theta.
        scale = z if form.positive else 1
        slope, bend = mpmath.diff(form.truth, z), mpmath.diff(form.truth, z, 2)
        found.append(off(value[i], form.truth(z), z * slope, dtype))
        found.append(off(gradient[i], scale * slope, scale * z * bend, dtype))
    return kinds(of.program), found


@pytest.mark.parametrize("name", FORMS)
def test_a_form_fires_and_is_accurate(name: str) -> None:
    form = FORMS[name]
    there, found = errors(form, ())
    assert all(there[kind] for kind in form.becomes)
    assert not any(there[kind] for kind in form.gone)
    assert max(found) <= 1


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_as_accurate_in_single_precision(name: str) -> None:
    assert max(errors(FORMS[name], (), "float32")[1]) <= 1


@pytest.mark.parametrize("name", FORMS)
def test_the_formula_as_written_misses(name: str) -> None:
    form = FORMS[name]
    there, found = errors(form, ("stable",))
    assert not there["sigmoid"] + there["softplus"] + there["log1p"] + there["expm1"]
    assert max(found) > 100


def test_a_sigmoid_times_its_complement_keeps_both() -> None:
    """sigmoid(z)*(1 - sigmoid(z)) is 0 at z = 40, where the gradient of sigmoid is 4e-18."""
    of, module = compiled("axis k: 4\nparam z[k] = 0\nminimize sum(sigmoid(z))\n")
    z = [-700.0, 30.0, 40.0, 700.0]
    _, gradient = module.bind({})(np.array(z))
    for found, point in zip(gradient, z, strict=True):
        assert off(found, mpmath.diff(s, mpf(point)), point * mpmath.diff(s, mpf(point), 2)) <= 1
    assert kinds(of.program)["sigmoid"] == 2


# -------------------------------------------------------------------------------------------------------- cross-entropy

CROSS_ENTROPIES = {
    "statements": "p = 1/(1 + exp(-z))\nminimize sum(-(y*log(p) + (1 - y)*log(1 - p)))\n",
    "named": "p = sigmoid(z)\nminimize -sum(y*log(p) + (1 - y)*log(1 - p))\n",
    "quotient": "e = exp(z)\np = e/(1 + e)\nq = 1 - p\nminimize sum(-y*log(p) - (1 - y)*log(q))\n",
    "functions": (
        "def squash(v) = 1/(1 + exp(-v))\n"
        "def entropy(p, y):\n"
        "    hit = y*log(p)\n"
        "    miss = (1 - y)*log(1 - p)\n"
        "    return -(hit + miss)\n"
        "minimize sum(entropy(squash(z), y))\n"
    ),
    "logits": "minimize sum(log(1 + exp(z)) - y*z)\n",
    "library": "use nn.binary_cross_entropy\nminimize sum(binary_cross_entropy(sigmoid(z), y))\n",
}
LOGITS = (-800.0, -40.0, -1.3, 0.0, 0.7, 40.0, 800.0)


@pytest.mark.parametrize("name", CROSS_ENTROPIES)
@pytest.mark.parametrize("label", [0.0, 1.0, 0.25])
def test_binary_cross_entropy(name: str, label: float) -> None:
    of, module = compiled(f"input x[n], y[n]\nparam w = 0\nz = w + x\n{CROSS_ENTROPIES[name]}")
    for point in LOGITS:
        data = {"x": np.array([point]), "y": np.array([label])}
        loss, gradient = module.bind(data)(np.zeros(1))
        z = mpf(point)
        parts = label * log(s(z)), (1 - label) * log(1 - s(z))
        assert off(loss, -parts[0] - parts[1], label * z) <= 1
        assert off(gradient[0], s(z) - label, label) <= 1
    # softplus(z) - y*z, and p - y.
    there = kinds(of.program)
    assert there["softplus"] == there["sigmoid"] == 1
    assert not there["exp"] + there["log"] + there["xlogy"]


@pytest.mark.parametrize("name", ["statements", "named", "quotient", "functions", "library"])
def test_binary_cross_entropy_as_written_misses(name: str) -> None:
    _, module = compiled(f"input x[n], y[n]\nparam w = 0\nz = w + x\n{CROSS_ENTROPIES[name]}", without=("stable",))
    loss, gradient = module.bind({"x": np.array([800.0]), "y": np.array([0.25])})(np.zeros(1))
    assert not np.isfinite(loss)
    assert not np.isfinite(gradient[0])


def test_the_gradient_of_cross_entropy_reads_as_a_textbook_has_it() -> None:
    of, _ = compiled(
        "input x[n, d], y[n]\nparam w[d] = 0, b = 0\nz = x @ w + b\np = sigmoid(z)\n"
        "minimize -mean(y*log(p) + (1 - y)*log(1 - p))\n"
    )
    assert inspect_text(of.program, "w") == "d loss/d w = sum[n](x * (p - y)) / size[n]\n"
    assert inspect_text(of.program, "b") == "d loss/d b = sum[n](p - y) / size[n]\n"


# --------------------------------------------------------------------------------------------------- formulas over axes

ROWS = (
    (1000.0, 0.0, -1000.0),
    (-1000.0, -1000.5, -1001.0),
    (0.1, -0.2, 0.3),
    (700.0, 710.0, 720.0),
    (5.0, 5.0, 5.0),
)


@dataclass(frozen=True)
class Over:
    """A formula over axis k, as text and as a function of one row, which gives one number or one for each position."""

    text: str
    truth: Callable[[Sequence[Any]], Any]
    before: str = ""
    shares: bool = False


def total(row: Sequence[Any]) -> Any:
    return mpmath.fsum(exp(z) for z in row)


def shares(row: Sequence[Any]) -> list[Any]:
    return [exp(z) / total(row) for z in row]


P = "e = exp(z)\np = e/sum[k](e)\n"
OVER = {
    "log-sum-exp": Over("log(sum[k](exp(z)))", lambda row: log(total(row))),
    "log-mean-exp": Over("log(mean[k](exp(z)))", lambda row: log(total(row) / 3)),
    "log-sum-exp, scaled": Over("log(7*sum[k](exp(z)))", lambda row: log(7 * total(row))),
    "log-sum-exp, across statements": Over("log(t)", lambda row: log(total(row)), "e = exp(z)\nt = sum[k](e)\n"),
    "log-sum-exp, through a function": Over(
        "lse[k](2*z)", lambda row: log(total([2 * z for z in row])), "def lse[a](v[a]) = log(sum[a](exp(v)))\n"
    ),
    "softmax": Over("exp(z)/sum[k](exp(z))", shares, shares=True),
    "softmax, across statements": Over("p", shares, P, shares=True),
    "log-softmax": Over("log(p)", lambda row: [log(share) for share in shares(row)], P),
    "log-softmax, by hand": Over("z - log(sum[k](exp(z)))", lambda row: [log(share) for share in shares(row)]),
    "cross-entropy, by label": Over("-log(p[k = label])", lambda row: -log(shares(row)[2]), P),
    "cross-entropy, at a position": Over("-log(p[k = 1])", lambda row: -log(shares(row)[1]), P),
    "cross-entropy, of softmax": Over("-log(p[k = label])", lambda row: -log(shares(row)[2]), "p = softmax[k](z)\n"),
    "cross-entropy, by shares": Over(
        "-sum[k](target*log(p))",
        lambda row: -mpmath.fsum(t * log(share) for t, share in zip((0, 0.25, 0.75), shares(row), strict=True)),
        P,
    ),
    "entropy": Over("-sum[k](p*log(p))", lambda row: -mpmath.fsum(x * log(x) for x in shares(row)), P),
}


def over_errors(form: Over, without: tuple[str, ...]) -> tuple[Counter[str], list[float]]:
    of, module = compiled(
        f"axis i: {len(ROWS)}, k: 3\ninput label[i]: k, target[k]\nparam z[i, k] = 0\n"
        f"{form.before}v = {form.text}\nminimize sum(v) + 0*sum(target) + 0*sum(label)\noutput v\n",
        without=without,
    )
    data = {"label": np.full(len(ROWS), 2), "target": np.array([0.0, 0.25, 0.75])}
    theta = np.array(ROWS).reshape(-1)
    value = module.predict(theta, data)["v"].reshape(len(ROWS), -1)
    gradient = module.bind(data)(theta)[1].reshape(len(ROWS), 3)

    def summed(row: Sequence[Any]) -> Any:
        found = form.truth(row)
        return mpmath.fsum(found) if isinstance(found, list) else found

    found = []
    for i, numbers in enumerate(ROWS):
        row = [mpf(z) for z in numbers]
        largest = max(abs(z) for z in row)
        truth = form.truth(row)
        each = truth if isinstance(truth, list) else [truth]
        # Exponents are known to their rounding: a share relatively, its logarithm absolutely.
        known = [largest * t if form.shares else largest for t in each]
        found += [off(v, t, k) for v, t, k in zip(value[i], each, known, strict=True)]
        for j in range(3):
            slope = mpmath.diff(lambda z, j=j, row=row: summed([*row[:j], z, *row[j + 1 :]]), row[j])
            found.append(off(gradient[i, j], slope, largest))
    return kinds(of.program), found


@pytest.mark.parametrize("name", OVER)
def test_a_form_over_an_axis_fires_and_is_accurate(name: str) -> None:
    there, found = over_errors(OVER[name], ())
    assert there["logsumexp"]
    assert not there["log"]
    assert max(found) <= 1


@pytest.mark.parametrize("name", [n for n in OVER if n != "cross-entropy, of softmax"])
def test_the_formula_over_an_axis_as_written_misses(name: str) -> None:
    there, found = over_errors(OVER[name], ("stable",))
    assert not there["logsumexp"]
    assert max(found) > 100


def test_exponentials_over_another_axis_are_no_softmax_of_this_one() -> None:
    of, module = compiled(
        "axis i: 2, k: 3\nparam z[i, k] = 0, u[i, k] = 0\n"
        "output a = exp(z)/sum[i](exp(z))\noutput b = exp(z)/sum[k](exp(u))\nminimize sum(a) + sum(b)\n"
    )
    z, u = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    theta = module.pack({"z": z, "u": u})
    found = module.predict(theta, {})
    np.testing.assert_allclose(found["a"], np.exp(z) / np.exp(z).sum(axis=0), rtol=1e-14)
    np.testing.assert_allclose(found["b"], np.exp(z) / np.exp(u).sum(axis=1, keepdims=True), rtol=1e-14)
    over = [[axis.name for axis in n.reduced] for n in reachable(of.program.roots()) if isinstance(n, Reduce)]
    assert sorted(over) == [["i"], ["k"]]


# ----------------------------------------------------------------------------------------------- where nothing may fire

LOOKALIKES: dict[str, tuple[str, Callable[[Array, Array], Array]]] = {
    "a difference": ("1/(1 - exp(-z))", lambda z, w: 1 / (1 - np.exp(-z))),
    "a negative": ("1/(exp(-z) - 2)", lambda z, w: 1 / (np.exp(-z) - 2)),
    "something more": ("1/(1 + exp(-z) + w)", lambda z, w: 1 / (1 + np.exp(-z) + w)),
    "another exponent": ("exp(z)/(1 + exp(2*z))", lambda z, w: np.exp(z) / (1 + np.exp(2 * z))),
    "another name": ("exp(z)/(1 + exp(w))", lambda z, w: np.exp(z) / (1 + np.exp(w))),
    "log of a negative factor": ("log(3 - 2*exp(-z^2))", lambda z, w: np.log(3 - 2 * np.exp(-(z**2)))),
    "log of a square": ("log(z^2)", lambda z, w: np.log(z**2)),
    "log of a product": ("log(z*w)", lambda z, w: np.log(z * w)),
    "log of a scaled sum": ("log(w^2*sum[k](exp(z)))", lambda z, w: np.log(w**2 * np.exp(z).sum())),
    "log of a weighted sum": ("log(sum[k](w^2*exp(z)))", lambda z, w: np.log((w**2 * np.exp(z)).sum())),
    "log of a sum of squares": ("log(sum[k](exp(z)*exp(w)))", lambda z, w: np.log((np.exp(z) * np.exp(w)).sum())),
    "log of another's selection": ("log((z^2 + 1)[k = 1])", lambda z, w: np.log(z[1] ** 2 + 1)),
    "twice a sigmoid": ("1 - 2/(1 + exp(-z))", lambda z, w: 1 - 2 / (1 + np.exp(-z))),
    "w less a sigmoid": ("w - 1/(1 + exp(-z))", lambda z, w: w - 1 / (1 + np.exp(-z))),
    "log of what is not its factor": ("z*log(w^2)", lambda z, w: z * np.log(w**2)),
}


@pytest.mark.parametrize("name", LOOKALIKES)
def test_what_looks_like_a_form_keeps_its_value(name: str) -> None:
    text, truth = LOOKALIKES[name]
    _, module = compiled(f"axis k: 4\nparam z[k] = 0, w[k] = 0\noutput v = {text}\nminimize sum(v)\n")
    z, w = np.array([-1.5, -0.3, 0.4, 2.0]), np.array([-0.7, -2.0, 1.1, 0.6])
    theta = module.pack({"z": z, "w": w})
    np.testing.assert_allclose(module.predict(theta, {})["v"], truth(z, w), rtol=1e-13)


def test_a_product_with_a_sum_of_exponentials_is_no_softmax() -> None:
    of, _ = compiled("axis k: 3\nparam z[k] = 0, w > 0 = 1\noutput v = exp(z)*sum[k](exp(z))*w\nminimize sum(v)\n")
    assert not kinds(of.program)["logsumexp"]


def test_what_a_form_shares_keeps_its_own_value() -> None:
    of, module = compiled(
        "axis k: 3\nparam z[k] = 0\ne = exp(-z)\nbelow = 1 + e\n"
        "output e, below, inside = 1/below\nminimize sum(below^2) + sum(inside)\n"
    )
    z = np.array([-2.0, 0.5, 3.0])
    found = module.predict(z, {})
    np.testing.assert_allclose(found["e"], np.exp(-z), rtol=1e-15)
    np.testing.assert_allclose(found["below"], 1 + np.exp(-z), rtol=1e-15)
    np.testing.assert_allclose(found["inside"], 1 / (1 + np.exp(-z)), rtol=1e-15)
    assert kinds(of.program)["sigmoid"] >= 1


def test_x_log_x_is_0_at_0() -> None:
    text = "input x[n]\nparam w = 1\nminimize w*sum(x*log(x)) + sum((w*x)*log(w*x))\n"
    of, module = compiled(text)
    assert kinds(of.program)["xlogy"] == 2
    loss, _ = module.bind({"x": np.array([0.0, 2.0])})(np.ones(1))
    assert loss == pytest.approx(4 * np.log(2), rel=1e-15)
    _, naive = compiled(text, without=("stable",))
    assert np.isnan(naive.bind({"x": np.array([0.0, 2.0])})(np.ones(1))[0])


def test_a_sign_decides() -> None:
    """log(x^4) is 4*log(x) only where x > 0; a bound tells it."""
    for bound, gone in ((" > 0", True), ("", False)):
        of, module = compiled(f"param q{bound} = 2\nminimize log(q^4)\n")
        there = kinds(of.program)
        assert bool(there["Pow"]) is not gone
        value = module.bind({})(module.pack({"q": 2.0} if gone else {"q": -2.0}))[0]
        assert value == pytest.approx(4 * np.log(2), rel=1e-15)


# ----------------------------------------------------------------------------------------------------- the table itself

RECOGNISED: list[tuple[Expr, Expr]] = [
    (sympy.log(1 + sympy.exp(_0)), f.softplus(_0)),
    (sympy.log(2 + 2 * sympy.exp(_0)), f.softplus(_0) + sympy.log(2).evalf(17)),
    (sympy.log(sympy.exp(_0) + sympy.exp(_1)), _0 + f.softplus(_1 - _0)),
    (sympy.log(f.sigmoid(_0)), -f.softplus(-_0)),
    (sympy.log(sympy.exp(_0) * f.sigmoid(_1)), _0 - f.softplus(-_1)),
    (sympy.log(p0**3), 3 * sympy.log(p0)),
    (1 / (1 + sympy.exp(-_0)), f.sigmoid(_0)),
    (f.sigmoid(-_0) * sympy.exp(_0), f.sigmoid(_0)),
    (1 - f.sigmoid(_0), f.sigmoid(-_0)),
    (sympy.exp(_0) - 1, f.expm1(_0)),
    (1 - sympy.exp(_0), -f.expm1(_0)),
    (sympy.log(1 + _0), f.log1p(_0)),
    (_0 * sympy.log(_0), f.xlogy(_0, _0)),
]
LEFT: list[Expr] = [
    sympy.log(_0**3),
    sympy.log(_0 * _1),
    sympy.log(2 - sympy.exp(_0)),
    1 / (1 - sympy.exp(_0)),
    1 / (_1 + sympy.exp(_0)),
    f.sigmoid(_0) * sympy.exp(_0),
    2 - f.sigmoid(_0),
    1 + sympy.exp(_0),
    2 - sympy.exp(_0),
    _0 * sympy.log(_1),
]


@pytest.mark.parametrize(("written", "stable"), RECOGNISED)
def test_recognised(written: Expr, stable: Expr) -> None:
    found = recognise(written)
    assert found is not None
    assert found[1] == stable


@pytest.mark.parametrize("written", LEFT)
def test_left_as_it_is(written: Expr) -> None:
    assert recognise(written) is None


# -------------------------------------------------------------------------------------------- functions and their graph

FUNCTIONS: list[tuple[Expr, Scalar, list[tuple[float, ...]]]] = [
    (f.sigmoid(_0), s, [(-3.0,), (0.4,), (40.0,)]),
    (f.softplus(_0), lambda x: log(1 + exp(x)), [(-40.0,), (0.4,), (40.0,)]),
    (f.relu(_0), lambda x: max(x, mpf(0)), [(-1.0,), (2.0,)]),
    (f.log1p(_0), lambda x: log(1 + x), [(1e-9,), (2.0,)]),
    (f.expm1(_0), lambda x: exp(x) - 1, [(1e-9,), (2.0,)]),
    (f.log1mexp(_0), lambda x: log(1 - exp(x)), [(-3.0,), (-0.2,)]),
    (f.logcosh(_0), lambda x: log(mpmath.cosh(x)), [(-0.5,), (0.4,), (30.0,)]),
    (f.steep_tanh(_0), mpmath.tanh, [(-0.5,), (3.0,)]),
    (f.sigmoid_slope(_0), lambda x: s(x) * s(-x), [(-0.5,), (3.0,)]),
    (f.root1pm1(_0), lambda x: mpmath.sqrt(1 + x) - 1, [(-0.5,), (3.0,)]),
    (f.inverse1pm1(_0), lambda x: 1 / (1 + x) - 1, [(-0.5,), (3.0,)]),
    (f.power1pm1(_0, _1), lambda x, y: (1 + x) ** y - 1, [(0.3, 2.5), (2.0, -1.5)]),
    (f.hypot(_0, _1), lambda x, y: mpmath.sqrt(x**2 + y**2), [(0.3, 2.5), (2.0, -1.5)]),
    (f.erf(_0), mpmath.erf, [(-0.5,), (2.0,)]),
    (f.erfc(_0), mpmath.erfc, [(-0.5,), (2.0,)]),
    (f.erfcx(_0), lambda x: exp(x**2) * mpmath.erfc(x), [(-0.5,), (2.0,)]),
    (f.ierfcx(_0), lambda x: 1 / mpmath.sqrt(mpmath.pi) - x * exp(x**2) * mpmath.erfc(x), [(-0.5,), (1.0,)]),
    (f.log_erfc(_0), lambda x: log(mpmath.erfc(x)), [(-0.5,), (2.0,)]),
    (f.log_half_erfc(_0), lambda x: log(mpmath.erfc(x) / 2), [(-0.5,), (2.0,)]),
    (f.exp_moment(1, _0), lambda x: mpmath.diff(lambda t: (exp(t) - 1) / t, x), [(-0.5,), (2.0,)]),
    (f.cos_moment(1, _0), lambda x: mpmath.diff(lambda t: mpmath.sin(t) / t, x), [(-0.5,), (2.0,)]),
    (f.log_moment(1, _0), lambda x: mpmath.diff(lambda t: log(1 + t) / t, x), [(-0.5,), (2.0,)]),
    (f.xlogy(_0, _1), lambda x, y: x * log(y), [(0.3, 2.0), (-1.0, 0.5)]),
    (f.power(_0, _1), lambda x, y: x**y, [(0.3, 2.5), (2.0, -1.5)]),
    (f.maximum(_0, _1), max, [(0.3, 2.5), (2.0, -1.5)]),
    (f.minimum(_0, _1), min, [(0.3, 2.5), (2.0, -1.5)]),
]


@pytest.mark.parametrize(
    ("expression", "truth", "points"), FUNCTIONS, ids=lambda v: str(v) if isinstance(v, Expr) else ""
)
def test_a_function_means_what_it_says_and_has_its_derivative(
    expression: Expr, truth: Scalar, points: list[tuple[float, ...]]
) -> None:
    for point in points:
        at = dict(zip((_0, _1), point, strict=False))
        exact = [mpf(x) for x in point]
        assert evaluate(expression, at) == pytest.approx(float(truth(*exact)), rel=1e-14)
        for i in range(len(point)):
            slope = mpmath.diff(lambda x, i=i, exact=exact: truth(*exact[:i], x, *exact[i + 1 :]), exact[i])
            assert evaluate(partial(expression, i), at) == pytest.approx(float(slope), rel=1e-13)


CORNERS: list[tuple[str, float, float]] = [
    ("relu(x)", 0.0, 0.0),
    ("step(x)", 0.0, 0.0),
    ("abs(x)", 0.0, 0.0),
    ("sign(x)", 0.0, 0.0),
    ("floor(x)", 1.0, 0.0),
    ("max(x, 1)", 1.0, 0.5),
    ("min(1, 3*x - 2)", 1.0, 1.5),
    ("max(x, 2*x - 1)", 1.0, 1.5),
    ("x^x", 1.0, 1.0),
    ("(x - 1)^(x + 1)", 1.0, 0.0),
    ("2^(x - 1)", 1.0, float(np.log(2.0))),
]


@pytest.mark.parametrize(("text", "at", "slope"), CORNERS)
def test_the_derivative_at_a_corner(text: str, at: float, slope: float) -> None:
    _, module = compiled(f"param x = 0\nminimize {text}\n")
    assert module.bind({})(np.array([at]))[1][0] == pytest.approx(slope, abs=1e-15)
