"""What happens after compilation: parameters, optimisers, the loop, data. It needs NumPy, and never the compiler."""

from .data import read_columns
from .errors import DataError, Diverged, NothingToDifferentiate, SeedMissing, SeveralObjectives
from .fit import Fit, fit
from .optim import SGD
from .parameter import Parameter
from .session import Session

__all__ = [
    "SGD",
    "DataError",
    "Diverged",
    "Fit",
    "NothingToDifferentiate",
    "Parameter",
    "SeedMissing",
    "Session",
    "SeveralObjectives",
    "fit",
    "read_columns",
]
