"""What NumPy's operations cost, in nanoseconds: written by `python benchmarks/operations.py --write`.

A row holds: a call, an element in the cache, an element beyond it, and the operation on one number, in Python. Of
products and sums the elements are those of all axes together. "number" is what a number that Python holds adds to a
call. Only ratios matter.
"""

from collections.abc import Mapping

MEASURED: Mapping[str, tuple[float, float, float, float]] = {
    "add": (300.0, 0.2, 0.7, 10.0),
    "multiply": (300.0, 0.2, 0.7, 10.0),
    "negate": (300.0, 0.15, 0.5, 10.0),
    "square": (300.0, 0.15, 0.5, 10.0),
    "divide": (300.0, 0.3, 0.7, 500.0),
    "reciprocal": (500.0, 0.3, 0.5, 500.0),
    "sqrt": (300.0, 1.0, 1.0, 100.0),
    "power": (300.0, 2.0, 3.0, 700.0),
    "abs": (300.0, 0.15, 0.5, 100.0),
    "exp": (300.0, 0.7, 1.0, 100.0),
    "log": (300.0, 0.7, 1.0, 100.0),
    "log1p": (300.0, 1.0, 1.0, 100.0),
    "expm1": (300.0, 1.5, 1.5, 150.0),
    "tanh": (300.0, 1.5, 1.5, 150.0),
    "tan": (300.0, 1.5, 1.5, 150.0),
    "half_angle": (2000.0, 2.0, 3.0, 100.0),
    "sigmoid": (1500.0, 1.5, 2.0, 700.0),
    "softplus": (2000.0, 3.0, 3.0, 1000.0),
    "maximum": (300.0, 0.2, 0.7, 500.0),
    "compare": (500.0, 0.2, 0.5, 10.0),
    "where": (1000.0, 2.0, 5.0, 10.0),
    "erf": (20000.0, 5.0, 10.0, 20000.0),
    "lgamma": (15000.0, 5.0, 7.0, 15000.0),
    "other": (300.0, 1.5, 1.5, 100.0),
    "copy": (300.0, 0.15, 0.5, 15.0),
    "reduce": (1000.0, 0.1, 0.2, 0.0),
    "dot": (300.0, 0.15, 0.5, 0.0),
    "matvec": (500.0, 0.15, 0.3, 0.0),
    "matmul": (150.0, 0.05, 0.05, 0.0),
    "batched": (500.0, 0.15, 0.3, 0.0),
    "elementwise": (1500.0, 0.5, 0.7, 0.0),
    "gather": (1000.0, 0.7, 0.7, 0.0),
    "scatter": (1000.0, 1.0, 1.0, 0.0),
    "number": (200.0, 0.0, 0.0, 0.0),
}
