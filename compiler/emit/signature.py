"""How the classes of a module are called: what `emit/numpy.py` and `emit/derivatives.py` both speak of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signature:
    """What a class takes besides data and parameters, and what it writes to.

    `seeded`: cotangents of the outputs come with the data. `along`: a direction comes with the parameters. `out` is the
    number of dimensions of the array that is written to, each as long as the vector of parameters; 0 where the class
    returns arrays of its own. `sparse`: it does not write all of it.
    """

    seeded: bool = False
    along: bool = False
    out: int = 0
    sparse: bool = False


PLAIN = Signature()
"""Data and parameters, and nothing else."""
