"""Estimates: a model is fitted to convergence, and what the data say of each parameter is said with it.

`estimate` takes an emitted module and data; gives an `Estimate`. `problems` holds what is made small, `descent` how,
`precision` what follows at the minimum, `profiles` the intervals that need more than the minimum, `scales` the bounds,
`table` the report for people. It needs SciPy.
"""

from .estimate import INTERVALS, METHODS, Coefficient, Estimate, estimate

__all__ = ["INTERVALS", "METHODS", "Coefficient", "Estimate", "estimate"]
