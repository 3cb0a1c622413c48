"""From a module and data to estimates, their errors, and what is said of the fit.

Takes an emitted module that has `residuals` or `hessian`; gives `Estimate`. An objective that is a sum or a mean of
squares is fitted by least squares, whatever its factor. Any other is taken for the negative logarithm of a likelihood,
or its mean over the rows, with the precision that its Hessian says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Missing, NotEstimable
from . import precision
from .descent import Minimum, least_squares, most_likely
from .problems import Likelihood, Numbers, Squares, numbers
from .profiles import Lower, Profile, profile
from .scales import Scale, scales
from .starts import around

Array = npt.NDArray[Any]

METHODS = ("auto", "lm", "lbfgs")
INTERVALS = ("wald", "profile")

UNARRIVED = 5
"""Other starts that are tried where a descent does not arrive."""

FURTHER = 2000
"""Evaluations at most of a descent from another start."""

RESTARTS = 5
"""How often a better minimum that a profile leads to is taken for the start of another descent."""


@dataclass(frozen=True)
class Coefficient:
    """One number that was estimated, as the model has it.

    `error` is its standard error, `lower` and `upper` its interval, None at an open end. All are None where the data do
    not determine the number; `z` and `p` also where the errors have no degree of freedom. `profile` is the curve of a
    profile: places, and roots of the loss, which compare with a quantile.
    """

    name: str
    value: float
    error: float | None
    statistic: float | None
    p: float | None
    lower: float | None
    upper: float | None
    profile: tuple[tuple[float, ...], tuple[float, ...]] | None = None


@dataclass(frozen=True)
class Estimate:
    """A fit that has ended. Whatever does not apply is None.

    `theta` is the vector of parameters, `values` the parameters by name as the model has them. `squares` says whether
    it was least squares. `count` are the observations (of a likelihood the rows), `freedom` the degrees of freedom,
    `deviation` the residual standard deviation, `rss` the weighted residual sum of squares without penalties.
    `unidentified` are directions in which numbers can move and nothing changes: the share of each, by name.
    `residuals` are weighted, as they are squared; `fitted` and `observed` are not.
    """

    model: str
    objective: str
    squares: bool
    method: str
    converged: bool
    reason: str
    evaluations: int
    level: float
    intervals: str
    coefficients: tuple[Coefficient, ...]
    values: Mapping[str, Array] = field(repr=False)
    theta: Array = field(repr=False)
    covariance: Array = field(repr=False)
    condition: float
    unidentified: tuple[Mapping[str, float], ...]
    count: int | None
    freedom: float | None
    rss: float | None
    deviation: float | None
    r2: float | None
    log_likelihood: float | None
    aic: float | None
    aicc: float | None
    bic: float | None
    residuals: Array | None = field(default=None, repr=False)
    fitted: Array | None = field(default=None, repr=False)
    observed: Array | None = field(default=None, repr=False)

    @property
    def correlations(self) -> Array:
        """Of the estimates, NaN for what is not determined."""
        errors = np.sqrt(np.diag(self.covariance))
        with np.errstate(all="ignore"):
            found: Array = self.covariance / np.outer(errors, errors)
        return found

    def __getitem__(self, name: str) -> Coefficient:
        """The coefficient of that name, as `b1` or `c[2]`."""
        for coefficient in self.coefficients:
            if coefficient.name == name:
                return coefficient
        raise KeyError(name)

    def __str__(self) -> str:
        from .table import table

        return table(self)

    def as_data(self) -> dict[str, Any]:
        """Everything but the rows, as JSON can hold it; a number that there is not is None."""
        names = [c.name for c in self.coefficients]
        found: dict[str, Any] = {
            "model": self.model,
            "objective": self.objective,
            "kind": "least squares" if self.squares else "likelihood",
            "method": self.method,
            "converged": self.converged,
            "reason": self.reason,
            "evaluations": self.evaluations,
            "level": self.level,
            "intervals": self.intervals,
            "parameters": {
                c.name: {
                    "estimate": c.value,
                    "standard_error": c.error,
                    "t" if self.squares else "z": c.statistic,
                    "p": c.p,
                    "lower": c.lower,
                    "upper": c.upper,
                }
                for c in self.coefficients
            },
            "covariance": {"names": names, "matrix": self.covariance.tolist()},
            "correlations": {"names": names, "matrix": self.correlations.tolist()},
            "unidentified": [dict(direction) for direction in self.unidentified],
            "condition": self.condition,
            "observations": self.count,
            "degrees_of_freedom": self.freedom,
            "residual_sum_of_squares": self.rss,
            "residual_standard_deviation": self.deviation,
            "r_squared": self.r2,
            "log_likelihood": self.log_likelihood,
            "aic": self.aic,
            "aicc": self.aicc,
            "bic": self.bic,
        }
        plain: dict[str, Any] = _plain(found)
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def estimate(
    module: ModuleType,
    data: Mapping[str, Any],
    *,
    objective: str | None = None,
    start: Mapping[str, Any] | None = None,
    seed: int = 0,
    method: str = "auto",
    intervals: str = "wald",
    level: float = 0.95,
    max_iterations: int = 10_000,
    tolerance: float = 1e-8,
    restarts: int | None = None,
) -> Estimate:
    """Fit `module` to `data` until the next step would be below `tolerance` standard errors.

    `start` has parameters by name, as the model has them; the others start as the model says, from `seed`. `method` is
    "lm" (Levenberg-Marquardt, for sums of squares), "lbfgs", or "auto", the first where it can be. `intervals` at
    `level` are "wald", the estimate and quantiles of its standard error, or "profile". `restarts` descents begin at the
    best of many points around the start besides, and the lowest minimum is taken; where it is None, only if the first
    does not arrive. Raises NotEstimable, NotFinite, Missing, ValueError for an unknown option, and the module's
    DataError.
    """
    _special()
    _known("method", method, METHODS)
    _known("intervals", intervals, INTERVALS)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, and should be between 0 and 1, as 0.95")
    name = _objective(module, objective)
    theta = module.initial(data, seed=seed)
    if start:
        theta = module.pack({**module.unpack(theta, data), **start}, data)
    moved = numbers(module, data, name, theta)
    if not moved.places.size:
        raise NotEstimable(f"the objective {name} trains no parameter", "there is nothing to estimate")
    problem = _problem(module, data, name, moved)
    if isinstance(problem, Likelihood) and method == "lm":
        what = f"the objective {name} is no sum of squares"
        raise NotEstimable(what, "Levenberg-Marquardt cannot fit it, and L-BFGS can")
    u = moved.theta[moved.places]
    with np.errstate(all="ignore"):
        problem.check(u)
        way = Way(method, max_iterations, tolerance, restarts)
        return _fitted(module, data, name, problem, u, way, intervals, level)


def _fitted(
    module: ModuleType,
    data: Mapping[str, Any],
    name: str,
    problem: Squares | Likelihood,
    u: Array,
    way: Way,
    intervals: str,
    level: float,
) -> Estimate:
    """The descent and the profiles, which may lead to another."""
    of_model = scales(module, data, name, problem.numbers)
    profiles: list[Profile | None] = [None] * problem.size
    for _ in range(RESTARTS):
        minimum = _lowest(problem, u, way)
        evaluations = problem.evaluations
        said = _Said.of(problem, minimum.u)
        quantile = said.quantile(level)
        if intervals != "profile" or not minimum.converged or quantile is None:
            break
        try:
            for i in range(problem.size):
                if said.precise.covariance[i, i] > 0:
                    spread = said.variance if said.variance is not None else 1.0
                    profiles[i] = profile(problem, minimum.u, i, said.precise.covariance, spread, quantile, way.most)
            break
        except Lower as lower:
            u = lower.u
            profiles = [None] * problem.size
    found = _made(module, data, name, problem, minimum, said, of_model, profiles, level, intervals)
    return replace(found, evaluations=evaluations)


def _special() -> Any:
    """scipy.special, or Missing."""
    try:
        import scipy.special
    except ImportError as error:
        raise Missing("SciPy", "fit") from error
    return scipy.special


def _known(what: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise ValueError(f"there is no {what} {name!r}; there are {', '.join(names)}")


def _objective(module: ModuleType, objective: str | None) -> str:
    if not module.OBJECTIVES:
        raise NotEstimable(f"the model {module.MODEL} has no objective", "write `minimize` and what is to be small")
    if objective is None and len(module.OBJECTIVES) > 1:
        names = ", ".join(module.OBJECTIVES)
        raise NotEstimable("the model has several objectives", f"say which is to be fitted, of {names}")
    name = next(iter(module.OBJECTIVES)) if objective is None else objective
    if name not in module.OBJECTIVES:
        raise NotEstimable(f"there is no objective {name!r}", f"there are {', '.join(module.OBJECTIVES)}")
    if module.NOISE or module.STATES:
        what = "noise" if module.NOISE else "states that change from step to step"
        raise NotEstimable(f"the model {module.MODEL} has {what}", "its objective has no minimum; train it instead")
    return name


def _problem(module: ModuleType, data: Mapping[str, Any], name: str, moved: Numbers) -> Squares | Likelihood:
    if hasattr(module, "residuals"):
        return Squares(module, data, name, moved)
    if hasattr(module, "hessian"):
        return Likelihood(module, data, name, moved)
    remedy = 'compile it with derivatives=("residuals",), or ("hessian",) where the objective is no sum of squares'
    raise NotEstimable("the module has neither residuals nor second derivatives", remedy)


@dataclass(frozen=True)
class Way:
    """How to go down: `most` evaluations a descent, to a next step of `tolerance` standard errors."""

    method: str
    most: int
    tolerance: float
    restarts: int | None


def _descended(problem: Squares | Likelihood, u: Array, way: Way) -> Minimum:
    if isinstance(problem, Squares):
        return least_squares(problem, u, "lm" if way.method == "auto" else way.method, way.most, way.tolerance)
    return most_likely(problem, u, way.most, way.tolerance)


def _lowest(problem: Squares | Likelihood, u: Array, way: Way) -> Minimum:
    """The descent from `u`, or one from another start that arrives where it does not, or lower."""
    best = _descended(problem, u, way)
    restarts = way.restarts
    if restarts is None:
        restarts = 0 if best.converged and best.determined else UNARRIVED
    further = replace(way, method="lbfgs" if way.method == "lbfgs" else "profile", most=min(way.most, FURTHER))
    for other in around(problem, u, restarts) if restarts else []:
        found = _descended(problem, other, further)
        arrived, before = (m.converged and m.determined for m in (found, best))
        lower = problem.deviance(found.u) < problem.deviance(best.u) - 1e-6 * abs(problem.deviance(best.u))
        if found.converged and (lower if arrived == before else arrived):
            best = replace(found, method=f"{found.method}, from another start")
    return best


@dataclass(frozen=True)
class _Said:
    """What follows at the minimum. `variance` is that of a residual, None where no degree of freedom is left."""

    precise: precision.Precision
    squares: bool
    count: int | None
    rss: float | None
    variance: float | None
    freedom: float | None

    @classmethod
    def of(cls, problem: Squares | Likelihood, u: Array) -> _Said:
        if isinstance(problem, Likelihood):
            found = precision.of_likelihood(problem, u)
            freedom = None if problem.count is None else problem.count - found.effective
            return cls(found, False, problem.count, None, 1.0, freedom)
        residuals = problem.residuals(u)[: problem.count]
        count = int((problem.weights > 0).sum())
        rss = float(residuals @ residuals)
        freedom = count - precision.of_squares(problem, u).effective
        freedom = float(round(freedom)) if abs(freedom - round(freedom)) < 1e-6 else freedom
        variance = rss / freedom if freedom > 0 else None
        return cls(precision.of_squares(problem, u, variance), True, count, rss, variance, freedom)

    def quantile(self, level: float) -> float | None:
        """How many standard errors an interval has on each side; None where there is none."""
        if not self.squares:
            return float(_special().ndtri(0.5 + level / 2))
        if self.variance is None:
            return None
        return float(_special().stdtrit(self.freedom, 0.5 + level / 2))

    def tail(self, statistic: float) -> float:
        """The probability of a statistic that is at least as far from 0."""
        if not self.squares:
            return float(2 * _special().ndtr(-abs(statistic)))
        return float(2 * _special().stdtr(self.freedom, -abs(statistic)))


def _made(
    module: ModuleType,
    data: Mapping[str, Any],
    name: str,
    problem: Squares | Likelihood,
    minimum: Minimum,
    said: _Said,
    of_model: Sequence[Scale],
    profiles: Sequence[Profile | None],
    level: float,
    intervals: str,
) -> Estimate:
    theta = np.asarray(problem.numbers.whole(minimum.u), module.DTYPE)
    values = module.unpack(theta, data)
    over = module.OBJECTIVES[name]["over"]
    flat = np.concatenate([np.ravel(values[parameter]) for parameter in over]).astype(float)
    slopes = np.array([scale.slope(x) for scale, x in zip(of_model, minimum.u, strict=True)])
    covariance = said.precise.covariance * np.outer(slopes, slopes)
    if said.variance is None:
        covariance = np.full_like(covariance, np.nan)
    quantile = said.quantile(level)
    coefficients = []
    for i, label in enumerate(problem.numbers.names):
        error = math.sqrt(covariance[i, i]) if covariance[i, i] >= 0 else None
        lower = upper = statistic = p = curve = None
        found = profiles[i]
        if error is not None and quantile is not None:
            lower, upper = flat[i] - quantile * error, flat[i] + quantile * error
            if error > 0:
                statistic = float(flat[i] / error)
                p = said.tail(statistic)
        if intervals == "profile":
            lower = upper = None
        if found is not None:
            ends = [None if end is None else of_model[i].value(end) for end in (found.lower, found.upper)]
            lower, upper = ends if slopes[i] > 0 else ends[::-1]
            curve = tuple(of_model[i].value(place) for place in found.places), found.roots
        coefficients.append(
            Coefficient(label, float(flat[i]), error, statistic, p, _float(lower), _float(upper), curve)
        )
    log_likelihood = r2 = residuals = fitted = observed = None
    if isinstance(problem, Squares):
        residuals, observed = problem.residuals(minimum.u)[: problem.count], problem.observed
        if observed is not None:
            fitted = observed - residuals / np.sqrt(problem.weights)
        log_likelihood, r2 = _log_likelihood(problem, said), _explained(problem, said)
    else:
        log_likelihood = -problem.value(minimum.u)[0]
    aic, aicc, bic = _criteria(log_likelihood, said)
    return Estimate(
        model=module.MODEL,
        objective=name,
        squares=said.squares,
        method=minimum.method,
        converged=minimum.converged,
        reason=minimum.reason,
        evaluations=problem.evaluations,
        level=level,
        intervals=intervals,
        coefficients=tuple(coefficients),
        values=values,
        theta=theta,
        covariance=covariance,
        condition=said.precise.condition,
        unidentified=said.precise.directions,
        count=said.count,
        freedom=said.freedom,
        rss=said.rss,
        deviation=None if not said.squares or said.variance is None else math.sqrt(said.variance),
        r2=r2,
        log_likelihood=log_likelihood,
        aic=aic,
        aicc=aicc,
        bic=bic,
        residuals=residuals,
        fitted=fitted,
        observed=observed,
    )


def _float(number: Any) -> float | None:
    return None if number is None else float(number)


def _log_likelihood(problem: Squares, said: _Said) -> float | None:
    """Of normal errors whose variance is its most likely one: that of R's logLik of an `nls`."""
    if not said.rss or not said.count:
        return None
    logs = float(np.log(problem.weights[problem.weights > 0]).sum())
    return 0.5 * (logs - said.count * (math.log(2 * math.pi * said.rss / said.count) + 1))


def _explained(problem: Squares, said: _Said) -> float | None:
    """R squared: the share of the weighted variation about the mean that the model explains."""
    if problem.observed is None or said.rss is None:
        return None
    weights = problem.weights
    mean = (weights @ problem.observed) / weights.sum()
    total = float(weights @ (problem.observed - mean) ** 2)
    return 1 - said.rss / total if total > 0 else None


def _criteria(log_likelihood: float | None, said: _Said) -> tuple[float | None, float | None, float | None]:
    """AIC, AICc and BIC; of least squares the variance counts as a parameter."""
    if log_likelihood is None:
        return None, None, None
    k = said.precise.effective + (1 if said.squares else 0)
    k = float(round(k)) if abs(k - round(k)) < 1e-6 else k
    aic = 2 * k - 2 * log_likelihood
    if said.count is None:
        return aic, None, None
    left = said.count - k - 1
    corrected = aic + 2 * k * (k + 1) / left if left > 0 else None
    return aic, corrected, k * math.log(said.count) - 2 * log_likelihood
