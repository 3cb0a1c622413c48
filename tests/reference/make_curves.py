"""Writes curves.json: fits of the models in models/curves by SciPy, and the errors that textbooks give of them.

python tests/reference/make_curves.py

Data are made from known parameters and rounded. SciPy's `least_squares` starts at these and stops at tight tolerances;
then the equations of least squares are solved by Newton's method with 40 digits, since a minimiser that compares sums
of squares stops with half of its digits. Standard errors are those of the linearised model: the roots of the diagonal
of s^2 (J^T J)^-1, by the parameters as the model has them, bounded or not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from scipy.optimize import least_squares

Formula = Callable[[Any, Any, Any], Any]

CASES: dict[str, tuple[Formula, dict[str, float], Any, float]] = {
    "michaelis": (
        lambda m, p, s: p[0] * s / (p[1] + s),
        {"top": 212.0, "half": 0.064},
        np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.1], 3),
        8.0,
    ),
    "exponentials": (
        lambda m, p, t: p[0] * m.exp(-p[1] * t) + p[2] * m.exp(-p[3] * t) + p[4],
        {"a": 5.0, "p": 0.3, "b": 3.0, "q": 2.0, "c": 0.7},
        np.linspace(0, 10, 60),
        0.02,
    ),
    "peaks": (
        lambda m, p, x: (
            p[0] * m.exp(-(((x - p[1]) / p[2]) ** 2) / 2)
            + p[3] * m.exp(-(((x - p[4]) / p[5]) ** 2) / 2)
            + p[6]
            + p[7] * x
        ),
        {"a": 4.0, "u": 3.0, "s": 0.6, "b": 2.5, "v": 5.0, "r": 0.9, "base": 0.5, "slope": 0.1},
        np.linspace(0, 10, 101),
        0.05,
    ),
    "growth": (
        lambda m, p, t: p[0] / (1 + m.exp(-p[1] * (t - p[2]))),
        {"top": 350.0, "rate": 0.4, "when": 12.0},
        np.arange(0.0, 30.0),
        4.0,
    ),
    "rational": (
        lambda m, p, x: (p[0] + p[1] * x + p[2] * x**2) / (1 + p[3] * x + p[4] * x**2),
        {"above[0]": 2.0, "above[1]": -1.0, "above[2]": 3.0, "first": 0.5, "second": 0.8},
        np.linspace(0, 6, 40),
        0.01,
    ),
    "weighted": (
        lambda m, p, x: p[0] * x ** p[1],
        {"a": 0.77, "k": 3.86},
        np.array([1.0, 1.5, 2.0, 2.6, 3.1, 3.9, 4.4, 5.2]),
        0.04,
    ),
}
NAMES = {"michaelis": ("s", "v"), "exponentials": ("t", "y"), "growth": ("t", "y")}


def solved(formula: Formula, x: Any, y: Any, sigma: Any, start: Any) -> tuple[list[float], list[float], float]:
    """The parameters, their errors, and the weighted sum of squares, from a point near the minimum."""
    mpmath.mp.dps = 40
    rows = [
        (mpmath.mpf(float(a)), mpmath.mpf(float(b)), mpmath.mpf(float(c))) for a, b, c in zip(x, y, sigma, strict=True)
    ]
    theta = mpmath.matrix([mpmath.mpf(float(value)) for value in start])
    size = len(theta)

    def slopes(p: Any) -> Any:
        found = mpmath.matrix(len(rows), size)
        for j in range(size):
            step = mpmath.mpf(10) ** -13 * (1 + abs(p[j]))
            up, down = p.copy(), p.copy()
            up[j] += step
            down[j] -= step
            for i, (a, _, c) in enumerate(rows):
                found[i, j] = (formula(mpmath, up, a) - formula(mpmath, down, a)) / (2 * step) / c
        return found

    for _ in range(400):
        residuals = mpmath.matrix([(b - formula(mpmath, theta, a)) / c for a, b, c in rows])
        jacobian = slopes(theta)
        normal = jacobian.T * jacobian
        step = mpmath.lu_solve(normal, jacobian.T * residuals)
        theta += step
        if max(abs(step[j] / theta[j]) for j in range(size)) < mpmath.mpf(10) ** -18:
            break
    else:
        raise ArithmeticError("no convergence")
    residuals = [(b - formula(mpmath, theta, a)) / c for a, b, c in rows]
    rss = sum(r * r for r in residuals)
    inverse = (slopes(theta).T * slopes(theta)) ** -1
    variance = rss / (len(rows) - size)
    return (
        [float(value) for value in theta],
        [float(mpmath.sqrt(variance * inverse[j, j])) for j in range(size)],
        float(rss),
    )


def main() -> None:
    stored = {}
    for name, (formula, truth, x, noise) in CASES.items():
        random = np.random.default_rng(5)
        p = np.array(list(truth.values()))
        exact = formula(np, p, x)
        sigma = noise * np.abs(exact) if name == "weighted" else np.ones(x.size)
        spread = sigma if name == "weighted" else noise
        y = np.array([float(f"{value:.6g}") for value in exact + spread * random.standard_normal(x.size)])
        sigma = np.array([float(f"{value:.3g}") for value in sigma])
        found = least_squares(
            lambda p, f=formula, x=x, y=y, w=sigma: (y - f(np, p, x)) / w,
            p,
            jac="cs",
            x_scale="jac",
            ftol=1e-15,
            xtol=1e-15,
            gtol=1e-15,
        )
        values, errors, rss = solved(formula, x, y, sigma, found.x)
        across, up = NAMES.get(name, ("x", "y"))
        data = {across: x.tolist(), up: y.tolist()} | ({"sigma": sigma.tolist()} if name == "weighted" else {})
        stored[name] = {
            "data": data,
            "names": list(truth),
            "scipy": found.x.tolist(),
            "parameters": values,
            "errors": errors,
            "rss": rss,
        }
    text = ",\n".join(f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in stored.items())
    Path(__file__).with_name("curves.json").write_text(f"{{\n{text}\n}}\n")


if __name__ == "__main__":
    main()
