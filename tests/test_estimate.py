"""Estimates, their errors and intervals: beside SciPy, closed forms, published fits, and brute force."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize, stats

import gradc
from gradc.runtime.errors import NotEstimable, NotFinite

pytestmark = pytest.mark.simplified

Array = npt.NDArray[Any]

HERE = Path(__file__).parent
CURVES = json.loads((HERE / "reference" / "curves.json").read_text())

LINE = "input x[n], y[n]\nparam a = 0, b = 0\nline = a + b * x\nminimize mean((y - line)^2)\noutput line\n"


def straight(rows: int = 20) -> dict[str, Array]:
    random = np.random.default_rng(1)
    x = np.linspace(0, 2, rows)
    return {"x": x, "y": 1 + 2 * x + 0.3 * random.normal(size=rows)}


def only(number: float | None) -> float:
    assert number is not None
    return number


@pytest.mark.parametrize("name", CURVES)
def test_curves_from_poor_starts(name: str) -> None:
    """The models start far from where they end; the reference was found from the truth, with 40 digits."""
    case = CURVES[name]
    found = gradc.estimate(HERE / "models" / "curves" / f"{name}.model", case["data"])
    assert found.converged
    assert [c.name for c in found.coefficients] == case["names"]
    assert [c.value for c in found.coefficients] == pytest.approx(case["parameters"], rel=1e-12)
    assert [c.value for c in found.coefficients] == pytest.approx(case["scipy"], rel=1e-9)
    assert [c.error for c in found.coefficients] == pytest.approx(case["errors"], rel=1e-11)
    assert found.rss == pytest.approx(case["rss"], rel=1e-12)


# ---------------------------------------------------------------------------------------------------------- textbooks


def test_a_line_has_the_errors_of_the_textbook() -> None:
    """Estimates, errors, R squared, p and intervals are SciPy's; the others are the formulas."""
    data = straight()
    found = gradc.estimate(LINE, data)
    known = stats.linregress(data["x"], data["y"])
    a, b = found.coefficients
    assert (a.value, b.value) == pytest.approx((known.intercept, known.slope), rel=1e-12)
    assert (a.error, b.error) == pytest.approx((known.intercept_stderr, known.stderr), rel=1e-11)
    assert found.r2 == pytest.approx(known.rvalue**2, rel=1e-12)
    assert b.p == pytest.approx(known.pvalue, rel=1e-8)
    t = stats.t.ppf(0.975, 18)
    assert b.upper == pytest.approx(known.slope + t * known.stderr, rel=1e-12)
    x = data["x"]
    correlation = -x.mean() / math.sqrt((x**2).mean())
    assert found.correlations[0, 1] == pytest.approx(correlation, rel=1e-12)
    rss = only(found.rss)
    assert found.freedom == 18
    assert found.deviation == pytest.approx(math.sqrt(rss / 18), rel=1e-14)
    density = stats.norm.logpdf(found.residuals, scale=math.sqrt(rss / 20)).sum()
    assert found.log_likelihood == pytest.approx(density, rel=1e-12)
    assert found.aic == pytest.approx(6 - 2 * density, rel=1e-12)
    assert found.aicc == pytest.approx(6 - 2 * density + 24 / 16, rel=1e-12)
    assert found.bic == pytest.approx(3 * math.log(20) - 2 * density, rel=1e-12)


def test_a_compiled_model_is_fitted_as_its_text_is() -> None:
    """Whatever its precision, and whether it has residuals or not."""
    wanted = [c.value for c in gradc.estimate(LINE, straight()).coefficients]
    for options in ({}, {"dtype": "float32"}, {"derivatives": ("residuals",)}):
        model = gradc.compile(LINE, **options)
        assert [c.value for c in model.estimate(straight()).coefficients] == wanted


def test_the_profile_of_a_linear_parameter_is_its_standard_error() -> None:
    plain, profiled = (gradc.estimate(LINE, straight(), intervals=kind) for kind in ("wald", "profile"))
    for one, other in zip(plain.coefficients, profiled.coefficients, strict=True):
        assert (other.lower, other.upper) == pytest.approx((one.lower, one.upper), rel=1e-7)


@pytest.mark.parametrize("factor", ["", "7 * "])
def test_weights(factor: str) -> None:
    """Of `((y - f) / sigma)^2`: the weighted normal equations; a factor of the whole objective changes nothing."""
    data = straight() | {"sigma": 0.1 + np.random.default_rng(2).random(20)}
    text = LINE.replace("y[n]", "y[n], sigma[n]").replace("mean((y - line)^2)", f"{factor}sum(((y - line) / sigma)^2)")
    found = gradc.estimate(text, data)
    design = np.stack([np.ones(20), data["x"]], axis=1) / data["sigma"][:, None]
    beta, rss, *_ = np.linalg.lstsq(design, data["y"] / data["sigma"], rcond=None)
    covariance = np.linalg.inv(design.T @ design) * rss[0] / 18
    assert [c.value for c in found.coefficients] == pytest.approx(beta, rel=1e-11)
    assert found.covariance == pytest.approx(covariance, rel=1e-10)
    assert found.rss == pytest.approx(rss[0], rel=1e-11)
    assert only(found.log_likelihood) == pytest.approx(
        stats.norm.logpdf(data["y"], found.fitted, data["sigma"] * math.sqrt(rss[0] / 20)).sum(), rel=1e-11
    )


@pytest.mark.parametrize("form", ["w * (y - line)^2", "(if w > 0 then (y - line)^2 else 0)"])
def test_rows_of_weight_0_are_no_observations(form: str) -> None:
    data = straight(20)
    weight = np.ones(20)
    weight[15:] = 0
    text = LINE.replace("y[n]", "y[n], w[n]").replace("(y - line)^2", form)
    found, fewer = (
        gradc.estimate(text, data | {"w": weight}),
        gradc.estimate(LINE, {k: v[:15] for k, v in data.items()}),
    )
    assert found.count == 15
    assert [c.error for c in found.coefficients] == pytest.approx([c.error for c in fewer.coefficients], rel=1e-11)
    assert found.log_likelihood == pytest.approx(fewer.log_likelihood, rel=1e-11)


def test_a_ridge_penalty() -> None:
    """As further rows: the estimates are the textbook's, and the data determine fewer numbers than there are."""
    random = np.random.default_rng(4)
    x, y = random.normal(size=(30, 3)), random.normal(size=30)
    text = "axis k: 3\ninput x[n, k], y[n]\nparam w[k] = 0\nfit = x @ w\nminimize sum((y - fit)^2) + 5 * w @ w\n"
    found = gradc.estimate(text, {"x": x, "y": y})
    inner = np.linalg.inv(x.T @ x + 5 * np.eye(3))
    w = inner @ x.T @ y
    effective = np.trace(x @ inner @ x.T)
    rss = float(((y - x @ w) ** 2).sum())
    assert [c.name for c in found.coefficients] == ["w[0]", "w[1]", "w[2]"]
    assert [c.value for c in found.coefficients] == pytest.approx(w, rel=1e-10)
    assert found.freedom == pytest.approx(30 - effective, rel=1e-11)
    assert found.rss == pytest.approx(rss, rel=1e-11)
    assert found.covariance == pytest.approx(inner * rss / (30 - effective), rel=1e-10)


@pytest.mark.parametrize(
    ("bounds", "start"), [("", 0.5), (" > 0", 0.5), (" in (0, 4)", 0.5), (" < 10", 0.5), (" in (-1, 3)", 2.5)]
)
def test_a_bound_changes_neither_estimate_nor_error(bounds: str, start: float) -> None:
    """The minimum lies inside of all of these; errors come through the map that keeps the bound."""
    text = LINE.replace("b = 0", f"b{bounds} = {start}")
    found, free = gradc.estimate(text, straight()), gradc.estimate(LINE, straight())
    assert [c.value for c in found.coefficients] == pytest.approx([c.value for c in free.coefficients], rel=1e-11)
    assert found.covariance == pytest.approx(free.covariance, rel=1e-10)
    profiled = gradc.estimate(text, straight(), intervals="profile")["b"]
    assert (profiled.lower, profiled.upper) == pytest.approx((free["b"].lower, free["b"].upper), rel=1e-6)


# ------------------------------------------------------------------------------------------------------ published fits

PUROMYCIN = {
    "conc": [0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.1, 1.1],
    "rate": [76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200],
}
ENZYME = """input conc[n], rate[n]
param Vm = 100, K = 1
velocity = Vm * conc / (K + conc)
minimize sum((rate - velocity)^2)
output velocity
"""


def test_puromycin() -> None:
    """Estimates and errors as R's nls prints them (Bates and Watts, Nonlinear Regression Analysis, table 2.1); the
    profiled intervals are R's, which interpolates its profiles."""
    found = gradc.estimate(ENZYME, PUROMYCIN, intervals="profile")
    vm, k = found["Vm"], found["K"]
    assert (f"{vm.value:.1f}", f"{vm.error:.3f}", f"{vm.statistic:.2f}") == ("212.7", "6.947", "30.61")
    assert (f"{k.value:.5f}", f"{k.error:.6f}", f"{k.statistic:.3f}") == ("0.06412", "0.008281", "7.743")
    assert f"{found.deviation:.2f} on {found.freedom:g}" == "10.93 on 10"
    assert (vm.lower, vm.upper) == pytest.approx((197.30213, 229.29006), rel=1e-5)
    assert (k.lower, k.upper) == pytest.approx((0.04692517, 0.08615995), rel=2e-4)


def test_another_published_fit_of_r() -> None:
    data = {"conc": [2.5, 5.0, 10.0, 15.0, 20.0], "rate": [0.024, 0.036, 0.053, 0.060, 0.064]}
    found = gradc.estimate(ENZYME, data, start={"Vm": 0.064, "K": 0.032})
    # It stopped with K at 6.561892, two millionths of an error from the minimum.
    told = [f"{c.value:.5f} {c.error:.6f} {c.statistic:.2f}" for c in found.coefficients]
    assert told == ["0.08586 0.002353 36.49", "6.56189 0.478720 13.71"]
    assert [f"{c.p:.3g}" for c in found.coefficients] == ["4.52e-05", "0.00084"]
    assert f"{found.deviation:.6f} on {found.freedom:g}" == "0.001035 on 3"


def test_profiles_beside_brute_force() -> None:
    """The ends are where SciPy's best of the other parameter has lost what the quantile allows."""
    conc, rate = (np.array(column, float) for column in PUROMYCIN.values())
    found = gradc.estimate(ENZYME, PUROMYCIN, intervals="profile", level=0.99)
    most = only(found.rss) + stats.t.ppf(0.995, 10) ** 2 * only(found.deviation) ** 2

    def lost(k: float) -> float:
        basis = conc / (k + conc)
        vm = basis @ rate / (basis @ basis)
        return float(((rate - vm * basis) ** 2).sum()) - most

    k = found["K"]
    ends = optimize.brentq(lost, 0.01, k.value, xtol=1e-14), optimize.brentq(lost, k.value, 0.3, xtol=1e-14)
    assert (k.lower, k.upper) == pytest.approx(ends, rel=1e-6)


# --------------------------------------------------------------------------------------------------------- likelihoods

NORMAL = """input y[n]
param mu = 0, sigma > 0 = 1
minimize {}(log(sigma) + ((y - mu) / sigma)^2 / 2 + log(2 * pi) / 2)
"""


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_normal_distribution(reduction: str) -> None:
    """A mean over the rows is multiplied by their number, so that both have the errors of the textbook."""
    y = np.random.default_rng(0).normal(3, 2, size=50)
    found = gradc.estimate(NORMAL.format(reduction), {"y": y})
    mu, sigma = found.coefficients
    deviation = y.std()
    assert not found.squares
    assert (mu.value, sigma.value) == pytest.approx((y.mean(), deviation), rel=1e-9)
    errors = deviation / math.sqrt(50), deviation / math.sqrt(100)
    assert (mu.error, sigma.error) == pytest.approx(errors, rel=1e-9)
    assert found.correlations[0, 1] == pytest.approx(0, abs=1e-9)
    assert found.log_likelihood == pytest.approx(stats.norm.logpdf(y, y.mean(), deviation).sum(), rel=1e-12)
    assert found.aic == pytest.approx(4 - 2 * only(found.log_likelihood), rel=1e-12)
    assert mu.upper == pytest.approx(y.mean() + stats.norm.ppf(0.975) * errors[0], rel=1e-9)


def test_a_rate_and_its_profile() -> None:
    """Of exponential times: the rate is one by the mean, and the ends solve `2 n (r m - 1 - log(r m)) = q`."""
    times = np.random.default_rng(0).exponential(0.5, size=12)
    text = "input t[n]\nparam rate > 0 = 1\nmaximize mean(log(rate) - rate * t)\n"
    found = gradc.estimate(text, {"t": times}, intervals="profile")
    rate, mean = found["rate"], times.mean()
    assert rate.value == pytest.approx(1 / mean, rel=1e-9)
    assert rate.error == pytest.approx(1 / mean / math.sqrt(12), rel=1e-9)
    assert found.log_likelihood == pytest.approx(stats.expon.logpdf(times, scale=mean).sum(), rel=1e-12)

    def lost(r: float) -> float:
        return 2 * 12 * (r * mean - 1 - math.log(r * mean)) - stats.chi2.ppf(0.95, 1)

    ends = optimize.brentq(lost, 1e-3 / mean, 1 / mean), optimize.brentq(lost, 1 / mean, 10 / mean)
    assert (rate.lower, rate.upper) == pytest.approx(ends, rel=1e-6)


def test_the_odds_of_a_table() -> None:
    """Logistic regression on two groups: the log odds ratio, with the root of the sum of reciprocal counts."""
    counts = {(0, 0): 12, (0, 1): 5, (1, 0): 7, (1, 1): 21}
    x = np.concatenate([np.full(count, group) for (group, _), count in counts.items()]).astype(float)
    y = np.concatenate([np.full(count, answer) for (_, answer), count in counts.items()]).astype(float)
    text = "input x[n], y[n]\nparam base = 0, slope = 0\nz = base + slope * x\nminimize mean(softplus(z) - y * z)\n"
    slope = gradc.estimate(text, {"x": x, "y": y})["slope"]
    assert slope.value == pytest.approx(math.log(21 * 12 / (7 * 5)), rel=1e-9)
    assert slope.error == pytest.approx(math.sqrt(1 / 12 + 1 / 5 + 1 / 7 + 1 / 21), rel=1e-9)


def test_a_known_variance() -> None:
    """`likelihood` takes squares as they stand: with a variance that is known, errors do not depend on the fit."""
    text = LINE.replace("mean((y - line)^2)", "sum(((y - line) / 0.3)^2) / 2")
    data = straight()
    found = gradc.estimate(text, data, likelihood=True)
    design = np.stack([np.ones(20), data["x"]], axis=1)
    assert not found.squares
    assert found.covariance == pytest.approx(0.09 * np.linalg.inv(design.T @ design), rel=1e-9)


def test_lbfgs_comes_to_the_same_least_squares() -> None:
    found, other = (gradc.estimate(ENZYME, PUROMYCIN, method=method) for method in ("lm", "lbfgs"))
    assert other.squares
    assert other.method.startswith("L-BFGS")
    assert [c.value for c in other.coefficients] == pytest.approx([c.value for c in found.coefficients], rel=1e-11)
    assert other.covariance == pytest.approx(found.covariance, rel=1e-9)


# ------------------------------------------------------------------------------------------------------ what goes wrong


def test_what_is_not_determined_is_named() -> None:
    text = LINE.replace("a + b * x", "a + c * exp(d + b * x) + 0 * unused")
    text = text.replace("b = 0", "b = 1, c = 1, d = 0, unused = 3")
    random = np.random.default_rng(1)
    x = np.linspace(0, 2, 30)
    data = {"x": x, "y": 1 + 2 * np.exp(0.7 * x) + 0.05 * random.normal(size=30)}
    found = gradc.estimate(text, data)
    assert found.converged
    assert {frozenset(direction) for direction in found.unidentified} == {frozenset("cd"), frozenset(["unused"])}
    errors = {c.name: c.error for c in found.coefficients}
    assert [name for name, error in errors.items() if error is None] == ["c", "d", "unused"]
    # The others are determined as they are without.
    without = gradc.estimate(
        text.replace("exp(d + b * x) + 0 * unused", "exp(b * x)").replace(", d = 0, unused = 3", ""), data
    )
    for name in ("a", "b"):
        assert found[name].value == pytest.approx(without[name].value, rel=1e-9)
        assert errors[name] == pytest.approx(without[name].error, rel=1e-8)
    assert found.freedom == 27
    # The direction is where c exp(d) stays: a step along it.
    (pair,) = (direction for direction in found.unidentified if "c" in direction)
    assert pair["c"] / pair["d"] == pytest.approx(-found["c"].value, rel=1e-6)
    told = str(found)
    assert "c and d are not determined" in told
    assert "unused is not determined" in told
    assert "nan" not in told.lower()


def test_a_likelihood_with_a_direction() -> None:
    text = "input y[n]\nparam a = 1, b = 1\nminimize mean(exp(a + b) - y * (a + b))\n"
    found = gradc.estimate(text, {"y": np.array([2.0, 3, 1, 4, 2])})
    assert [set(direction) for direction in found.unidentified] == [{"a", "b"}]
    assert found["a"].value + found["b"].value == pytest.approx(math.log(2.4), rel=1e-9)


def test_as_many_numbers_as_rows() -> None:
    found = gradc.estimate(LINE, {"x": np.array([0.0, 1.0]), "y": np.array([1.0, 3.0])})
    assert found.converged
    assert [c.value for c in found.coefficients] == pytest.approx([1, 2], rel=1e-12)
    assert found.freedom == 0
    assert all(c.error is None for c in found.coefficients)
    assert json.dumps(found.as_data(), allow_nan=False)


def test_an_exact_fit() -> None:
    x = np.linspace(0, 1, 9)
    found = gradc.estimate(LINE, {"x": x, "y": 1 + 2 * x})
    assert found.converged
    assert [c.value for c in found.coefficients] == pytest.approx([1, 2], rel=1e-13)


def test_what_stops_before_it_arrives_says_so() -> None:
    problem = json.loads((HERE / "reference" / "nist.json").read_text())["MGH09"]
    text = "input x[n], y[n]\nparam a = 25, b = 39, c = 41.5, d = 39\nf = a * (x^2 + x * b) / (x^2 + x * c + d)\n"
    found = gradc.estimate(f"{text}minimize sum((y - f)^2)\n", {k: problem[k] for k in "xy"}, max_iterations=2)
    assert not found.converged
    assert "it stopped where the next step would be" in found.reason
    assert "NOT CONVERGED" in str(found)


def test_refusals() -> None:
    data = straight()
    with pytest.raises(NotFinite, match=r"a residual is not finite at the start, at row 0 \(from 0\)"):
        gradc.estimate(LINE.replace("b * x", "b * log(x - 1)"), data)
    weighted = LINE.replace("y[n]", "y[n], w[n]").replace("(y -", "w * (y -")
    with pytest.raises(NotFinite, match=r"the weight of a square is negative, at row 2 \(from 0\)"):
        gradc.estimate(weighted, data | {"w": np.where(np.arange(20) == 2, -1.0, 1.0)})
    with pytest.raises(NotEstimable, match="is no sum of squares; Levenberg-Marquardt cannot fit it"):
        gradc.estimate(LINE.replace("(y - line)^2", "abs(y - line)"), data, method="lm")
    with pytest.raises(NotEstimable, match="several objectives; say which is to be fitted, of one, two"):
        gradc.estimate("input x[n]\nparam a = 1\nminimize one = mean((x - a)^2)\nminimize two = a^4\n", data)
    noisy = "input x[n]\nnoise e[n] ~ normal(0, 1)\nparam a = 1\nminimize mean((x - a * e)^2)\n"
    with pytest.raises(NotEstimable, match="has noise; its objective has no minimum"):
        gradc.estimate(noisy, data)
    with pytest.raises(ValueError, match="there is no method 'gauss'"):
        gradc.estimate(LINE, data, method="gauss")
    with pytest.raises(ValueError, match="level is 95"):
        gradc.estimate(LINE, data, level=95)


def test_one_of_several_objectives() -> None:
    """A sum of squares and another: each is fitted by its own way, over what it trains."""
    text = LINE.replace("mean(", "squares = mean(") + "minimize other = mean(exp(a) - y * a) over a\n"
    data = straight()
    found, other = gradc.estimate(text, data, objective="squares"), gradc.estimate(text, data, objective="other")
    assert found.squares
    assert [c.name for c in other.coefficients] == ["a"]
    assert other["a"].value == pytest.approx(math.log(data["y"].mean()), rel=1e-9)
