"""What happens after compilation: parameters, optimisers, the loop, data. It needs NumPy, and never the compiler."""

from .data import Data, read_data
from .errors import (
    BadCheckpoint,
    DataError,
    Diverged,
    NoSuchDerivative,
    NothingToDifferentiate,
    ParametersDiffer,
    SeedMissing,
    SeveralObjectives,
    SparseGradient,
)
from .fit import Fit, fit
from .minimize import scipy_function
from .optim import (
    ASGD,
    LBFGS,
    OPTIMIZERS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
    SparseAdam,
    clip_grad_norm_,
    clip_grad_value_,
)
from .parameter import Parameter
from .row_sparse import RowSparse
from .schedules import SCHEDULES
from .session import Session

__all__ = [
    "ASGD",
    "LBFGS",
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "BadCheckpoint",
    "Data",
    "DataError",
    "Diverged",
    "Fit",
    "NAdam",
    "NoSuchDerivative",
    "NothingToDifferentiate",
    "Optimizer",
    "Parameter",
    "ParametersDiffer",
    "RAdam",
    "RMSprop",
    "RowSparse",
    "Rprop",
    "SeedMissing",
    "Session",
    "SeveralObjectives",
    "SparseAdam",
    "SparseGradient",
    "clip_grad_norm_",
    "clip_grad_value_",
    "fit",
    "read_data",
    "scipy_function",
]
