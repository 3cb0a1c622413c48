"""The table of stable forms: every row fires, every row can be left out, and what is 0/0 has its limit."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from mpmath import mpf

from gradc.compiler.differentiate import differentiate
from gradc.compiler.elaborate import elaborate
from gradc.compiler.graph import Node
from gradc.compiler.simplify.rewrites import Rewrites, Rule
from gradc.compiler.simplify.stable import RULES, stabilise
from gradc.compiler.source import Source
from gradc.compiler.syntax import parse

from .harness import compiled
from .stable_formulas import FORMULAS

pytestmark = pytest.mark.simplified

MORE = {
    "entropy": "param x = 1\nminimize x*log(x)\n",
    "cross-entropy": "param x = 1, y = 1\nminimize xlogy(y, 1/(1 + exp(-x)))\n",
    "power of exp": "param x = 1, y = 1\nminimize exp(x)^y\n",
    "mean under softmax": "axis k: 3\ninput w[k]\nparam x[k] = 1\nminimize sum[k](w*exp(x))/sum[k](exp(x))\n",
    "sum of entropies": "axis k: 3\ninput w[k]\nparam x[k] = 1\nminimize sum[k](w*x*log(x))\n",
    "variance": "axis k: 3\nparam x[k] = 1\nminimize mean[k](x^2) - mean[k](x)^2\n",
    "square of a norm": "axis k: 3\nparam x[k] = 1\nminimize norm[k](x)^2\n",
    "slope of 1/expm1": "param x = 1\nminimize exp(x)/expm1(x)^2\n",
    "bend of log(erfc)": "param x = 1\nminimize grad[x](log(erfc(x)))\n",
    "exp of log-sigmoid": "param x = 1\nminimize exp(-softplus(-x))\n",
}
"""What the suite does not have: formulas of several parameters, or of a value at 0."""


def rewritten(text: str, without: tuple[str, ...] = ()) -> Rewrites:
    """What the pass does to a model before differentiation and after it."""
    written = elaborate(parse(Source("m.model", text)), {})
    record = Rewrites(without)
    stabilise(differentiate(stabilise(written, record), written), record)
    return record


@cache
def users() -> dict[str, str]:
    """For each rule the text of a model that it rewrites."""
    found: dict[str, str] = {}
    for text in (*MORE.values(), *(formula.model() for formula in FORMULAS)):
        for rewrite in rewritten(text).done:
            found.setdefault(rewrite.rule, text)
    return found


def test_every_rule_has_a_name_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.of == "stable" and rule.why and rule.source for rule in RULES)


def test_every_rule_fires_and_no_other_does() -> None:
    assert sorted(users()) == sorted(rule.name for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_may_be_left_out(rule: Rule) -> None:
    name = rule.name
    assert name not in [rewrite.rule for rewrite in rewritten(users()[name], (name,)).done]


def test_the_pass_may_be_left_out() -> None:
    assert all(not rewritten(formula.model(), ("stable",)).done for formula in FORMULAS[:10])


def test_a_rewriting_that_the_gate_refuses_is_not_made() -> None:
    written = elaborate(parse(Source("m.model", "param x = 1\nminimize log(1 + exp(x))\n")), {})

    def never(before: Node, after: Node) -> bool:
        return False

    record = Rewrites(gate=never)
    assert stabilise(written, record).objectives[0].value is written.objectives[0].value
    assert [rewrite.rule for rewrite in record.refused] == ["stable.softplus"]


LIMITS: list[tuple[str, float, float]] = [
    ("sin(z)/z", 1.0, 0.0),
    ("sin(3*z)/z", 3.0, 0.0),
    ("tan(z)/z", 1.0, 0.0),
    ("(1 - cos(z))/z^2", 0.5, 0.0),
    ("(exp(z) - 1)/z", 1.0, 0.5),
    ("(1 - exp(-2*z))/z", 2.0, -2.0),
    ("log(1 + z)/z", 1.0, -0.5),
    ("z/(exp(z) - 1)", 1.0, -0.5),
    ("z/sqrt(z^2)", 0.0, 0.0),
    ("sqrt(z^2 + (2*z)^2)", 0.0, 0.0),
    ("if z > 0 then log(z) else 0", 0.0, 0.0),
    ("if z != 0 then sin(z)/z else 1", 1.0, 0.0),
]


@pytest.mark.parametrize(("text", "value", "slope"), LIMITS)
def test_at_0_a_formula_has_its_limit(text: str, value: float, slope: float) -> None:
    _, module = compiled(f"param z = 0\nminimize {text}\n")
    found, gradient = module.bind({})(np.zeros(1))
    assert found == pytest.approx(value, abs=1e-15)
    assert gradient[0] == pytest.approx(slope, abs=1e-15)


def test_a_norm_of_two_at_0_and_at_the_ends_of_the_doubles() -> None:
    _, module = compiled("param x = 0, y = 0\nminimize sqrt(x^2 + y^2)\n")
    loss = module.bind({})
    assert loss(np.zeros(2))[0] == 0
    np.testing.assert_array_equal(loss(np.zeros(2))[1], 0)
    for scale in (1e-300, 1e300):
        found, gradient = loss(np.array([3.0, 4.0]) * scale)
        assert found == pytest.approx(5 * scale, rel=1e-15)
        np.testing.assert_allclose(gradient, [0.6, 0.8], rtol=1e-15)


def test_a_variance_and_a_covariance_keep_their_digits() -> None:
    text = (
        "axis k: 4\ninput y[k]\nparam x[k] = 0\n"
        "output v = mean[k](x^2) - mean[k](x)^2, c = mean[k](x*y) - mean[k](x)*mean[k](y)\nminimize v + c\n"
    )
    x, y = 1e8 + np.array([1.0, 2.0, 4.0, 8.0]), 1e9 + np.array([3.0, 1.0, 4.0, 1.0])
    exact_x, exact_y = ([mpf(float(v)) for v in values] for values in (x, y))
    means = sum(exact_x) / 4, sum(exact_y) / 4
    _, module = compiled(text)
    found = module.predict(x, {"y": y})
    pairs = list(zip(exact_x, exact_y, strict=True))
    assert found["v"] == pytest.approx(float(sum((a - means[0]) ** 2 for a in exact_x) / 4), rel=1e-14)
    assert found["c"] == pytest.approx(float(sum((a - means[0]) * (b - means[1]) for a, b in pairs) / 4), rel=1e-14)
    slopes = [float((2 * (a - means[0]) + (b - means[1])) / 4) for a, b in pairs]
    np.testing.assert_allclose(module.bind({"y": y})(x)[1], slopes, rtol=1e-12)
    _, naive = compiled(text, without=("stable",))
    assert naive.predict(x, {"y": y})["v"] != pytest.approx(found["v"], rel=1e-3)


def test_a_mean_under_softmax_neither_overflows_nor_loses_the_weights() -> None:
    _, module = compiled("axis k: 3\ninput w[k]\nparam x[k] = 0\nminimize sum[k](w*exp(x))/sum[k](exp(x))\n")
    for shift in (-1000.0, 0.0, 1000.0):
        value, gradient = module.bind({"w": np.array([1.0, 2.0, 5.0])})(shift + np.log([1.0, 2.0, 5.0]))
        assert value == pytest.approx(30 / 8, rel=1e-12)
        np.testing.assert_allclose(gradient, np.array([1, 2, 5]) / 8 * (np.array([1, 2, 5]) - 30 / 8), rtol=1e-11)


def test_a_rule_needs_the_signs() -> None:
    for text, where, value in (
        ("log(z*w)", (-2.0, -3.0), np.log(6.0)),
        ("log(z/w)", (-2.0, -3.0), np.log(2 / 3)),
        ("sqrt(z^2 + 1) - z", (-2.0, 0.0), np.sqrt(5) + 2),
        ("z^2 - w^2", (3.0, 2.0), 5.0),
        ("exp(z)*sinh(w)", (0.0, -1.0), np.sinh(-1.0)),
    ):
        _, module = compiled(f"param z = 1, w = 1\nminimize {text}\n")
        assert module.bind({})(np.array(where))[0] == pytest.approx(value, rel=1e-14)
