"""The truth of the suite of stable forms: `python -m tests.reference.make_stable` writes stable_truth.npz.

From mpmath alone: each formula as it is written, with so many digits that what cancels in it leaves more than fifty,
and its derivatives by differences at a distance of 1e-80 of z. A row holds value and gradient as doubles, and what the
rounding of z alone makes of them: |f| + |z f'| and |f'| + |z f''|, to eight bits, for the bound of the tests.
"""

from __future__ import annotations

import math
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import mpmath
import numpy as np

from tests.stable_formulas import FORMULAS, Formula

PATH = Path(__file__).with_name("stable_truth.npz")
STEP = 80
NAMES = ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf", "erfc")


def digits(z: float) -> int:
    """What the formula loses between 1e-300 and 1e300, or where exp(z) or erf(z) meets 1; the step twice; and sixty."""
    tail = 0.9 * z * z if abs(z) < 40 else 0.9 * abs(z) if abs(z) < 2000 else 0.0
    return round(60 + 2 * STEP + 2.2 * abs(math.log10(abs(z))) + tail)


def at(formula: Formula, z: Any) -> Any:
    """The formula at one number of mpmath."""
    before, last = formula.program()
    known = {name: getattr(mpmath, name) for name in NAMES} | {"pi": mpmath.pi(), "z": z}
    for line in before:
        exec(line, known)
    return mpmath.re(eval(last, known))


def row(formula: Formula, z: float) -> tuple[float, float, float, float]:
    """Value, gradient, and the two sizes of the bound."""
    with mpmath.workdps(digits(z)):
        x = mpmath.mpf(z)
        h = abs(x) * mpmath.mpf(10) ** -STEP
        below, here, above = at(formula, x - h), at(formula, x), at(formula, x + h)
        slope = (above - below) / (2 * h)
        bend = (above - 2 * here + below) / h**2
        sizes = abs(here) + abs(x * slope), abs(slope) + abs(x * bend)
        return float(here), float(slope), *(_short(float(size)) for size in sizes)


def _short(size: float) -> float:
    mantissa, exponent = math.frexp(min(size, sys.float_info.max))
    return math.ldexp(math.floor(mantissa * 256) / 256, exponent)


def table(formula: Formula) -> np.ndarray[Any, np.dtype[np.float64]]:
    """All rows of a formula."""
    return np.array([row(formula, float(z)) for z in formula.grid()])


def main() -> None:
    wanted = [f for f in FORMULAS if len(sys.argv) < 2 or f.name in sys.argv[1:]]
    known = dict(np.load(PATH)) if PATH.exists() and len(sys.argv) > 1 else {}
    with multiprocessing.Pool(2) as pool:
        for formula, found in zip(wanted, pool.imap(table, wanted), strict=True):
            known[formula.name] = found
            print(formula.name, "not finite" if not np.isfinite(found[:, :2]).all() else "", flush=True)
    np.savez_compressed(PATH, **{f.name: known[f.name] for f in FORMULAS if f.name in known})


if __name__ == "__main__":
    main()
